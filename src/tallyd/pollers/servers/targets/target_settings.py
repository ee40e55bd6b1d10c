"""The settings of one target."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tallyd.core.schedule.timetable import EVERY_DAY
from tallyd.core.texts import listed
from tallyd.pollers.servers.sources.extraction import is_query, text_pattern
from tallyd.pollers.servers.targets.group_settings import AlertKeys, Label
from tallyd.pollers.servers.targets.request_settings import RequestKeys, header_name
from tallyd.settings.alerting import HoursSettings
from tallyd.settings.calendars import CalendarByName
from tallyd.settings.headers import Plain
from tallyd.settings.queries import check_query
from tallyd.settings.secrets import Secret
from tallyd.settings.top import check_database
from tallyd.settings.types import (
    Days,
    Duration,
    Seconds,
    Strict,
    TimeOfDay,
    Zone,
    as_tuple,
    check_folder,
    did_you_mean,
    within,
    wrong,
    wrong_each,
)
from tallyd.settings.urls import KeylessUrl

_FORMS = ("iso", "epoch", "epoch_ms")
_TRIED = datetime(2026, 11, 20, 12, 59, tzinfo=UTC)
_KINDS = ("url", "file", "sql")
_OF_REPLIES = frozenset({"field", "header", "text", *RequestKeys.model_fields})
_USELESS = {
    "file": _OF_REPLIES | {"format", "timezone", "each"},
    "sql": _OF_REPLIES | {"each"},
    "each": frozenset({"field", "header", "text"}),
}
_LONGEST_FIELD = 200
_FIRST_WORD = re.compile(r"(?>[\s(]|--[^\n]*|/\*(?s:.*?)\*/|#[^\n]*)*+(\w+)")
"""After comments and parentheses. It does not go back: a query may have thousands of comments."""
_QUERIES = ("SELECT", "WITH", "VALUES", "TABLE")


def _field(written: str) -> str:
    if is_query(written):
        return check_query(written, example="jobs[0].finished_at")
    names = written.split(".")
    if names[0] == "$":
        raise wrong('begins with "$"; write only the names of the fields, such as "data.time"')
    if not all(names):
        raise wrong(
            'must be the name of a field, or several names with dots between them, such as "data.time"'
        )
    return written


def _format(written: str) -> str:
    if written in _FORMS:
        return written
    if "%" not in written:
        known = f"; write one of {', '.join(_FORMS)}, or a strptime format such as %Y%m%d%H%M%S"
        raise wrong(f"is not a time format{did_you_mean(written, _FORMS) or known}")
    if "%Z" in written:
        raise wrong(
            "contains %Z, which reads the name of a zone but ignores it; use %z, or write the name as plain "
            "text and set timezone"
        )
    try:
        found = datetime.strptime(_TRIED.strftime(written), written)  # noqa: DTZ007 # compared without one
    except (ValueError, re.error):
        found = None
    if found is None or found.replace(tzinfo=None) != _TRIED.replace(tzinfo=None):
        raise wrong("is not a format with a full date and time, such as %Y%m%d%H%M%S")
    return written


def _file(written: str) -> str:
    check_folder(written)
    if not written.startswith("/"):
        raise wrong("must be an absolute path, such as /srv/export/*.csv")
    return written


def _plain_file(written: object) -> object:
    """Make the URL of a file no secret: it has no password."""
    is_file = isinstance(written, str) and written.startswith("sqlite:") and written.isprintable()
    return Plain(str(written)) if is_file else written


def _check_sql_url(url: str) -> None:
    check_database(url)
    if url.startswith("sqlite") and not url.startswith("sqlite:////"):
        raise wrong("must name a file by its absolute path: sqlite:////PATH")


def _query(written: str) -> str:
    first = _FIRST_WORD.match(written)
    if first is None or first[1].upper() not in _QUERIES:
        raise wrong("must be a SELECT, which may begin with WITH; nothing else can run")
    return written


def _pattern(written: str) -> str:
    try:
        groups = text_pattern(written).groups
    except ValueError:
        raise wrong(
            "is not a regular expression of RE2, which has no look-around (?=x), no back reference \\1 and "
            "no repetition above {1000}; see github.com/google/re2/wiki/Syntax"
        ) from None
    if groups != 1:
        raise wrong("must have exactly one group in parentheses, around the time")
    return written


class DueSettings(Strict):
    """A time of day by which new data is due, in the time zone of the poller."""

    days: Days = Field(EVERY_DAY, description="Days on which new data is due. Default: every day.")
    by: TimeOfDay = Field(description="Time of day by which it is due.")
    calendar: CalendarByName | None = Field(
        None,
        description="Name of a calendar in `calendars`. New data is then due only on days of `days` that are "
        "open in it.",
    )


_FieldText = Annotated[str, Field(min_length=1, max_length=_LONGEST_FIELD), AfterValidator(_field)]


class TargetKeys(RequestKeys):
    """Settings of one target, or in `defaults` of all targets."""

    group: Label | None = Field(
        None, description="Group of the target, to show and report only the targets of a group."
    )
    tags: Annotated[tuple[Label, ...], BeforeValidator(as_tuple)] = Field(
        (), description="Words about the target, shown beside it and in the metrics."
    )

    field: _FieldText = Field(
        "computed_time",
        description="Field of the JSON reply with the time when its data was computed. `data.time` is a "
        "field inside another; a number is an index in a list, from 0. With brackets or other signs it is "
        "JMESPath: `max(jobs[].finished_at)`.",
    )
    header: Annotated[str, AfterValidator(header_name)] | None = Field(
        None, description="Header of the reply with that time, instead of `field`, such as Last-Modified."
    )
    text: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_pattern)] | None = Field(
        None,
        description="Regular expression (RE2) whose one group finds that time in the reply's text, instead "
        "of `field`: `updated: (.+)`.",
    )
    format: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_format)] = Field(
        "iso",
        description="Format of that time: `iso` (ISO 8601), `epoch` or `epoch_ms` (seconds or milliseconds "
        "since 1970), or a strptime format such as %Y%m%d%H%M%S.",
    )
    timezone: Zone | None = Field(
        None, description="Zone of times without one. Default: `timezone` of the poller, or at the top."
    )
    stale_after: Duration = Field(Seconds(900), description="Older data is stale and raises an alert.")
    late_after: Duration | None = Field(
        None, description="Older data is late and is logged. Default: half of `stale_after`."
    )
    due: Annotated[tuple[DueSettings, ...], BeforeValidator(as_tuple)] = Field(
        (),
        description="When new data is due. Data is stale if it is not newer than the due time before the "
        "last one. Its age makes no difference: `stale_after` and `late_after` do not count.",
    )
    remind_every: Annotated[Duration, AfterValidator(within(60.0))] | None = Field(
        None,
        description="While a target is not fresh, send a reminder and log a line at this interval; null: "
        "never. Default: send reminders as in `alerts.remind_every`, and log no further line.",
    )
    active: Annotated[tuple[HoursSettings, ...], BeforeValidator(as_tuple)] = Field(
        (),
        description="Hours in which a problem raises an alert. Outside of them the target is checked and "
        "shown. A problem that begins then waits for the hours, and no reminder is sent. Default: always.",
    )
    record: bool = Field(True, description="Store its changes in the database (table `server_lag`).")
    notify: bool = Field(
        True, description="Raise an alert if it is stale, unreachable, invalid or in the future."
    )
    log_changes: bool = Field(
        True, description="Log each new time at level DEBUG; false: log only changes of its state."
    )
    timeout: Duration | None = Field(
        None,
        description="Time limit of one check, from the connection to the last byte. At most a fifth of "
        "`every`, so that no check runs into the next round. Default: a fifth of `every`, but at most 10s.",
    )

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        written = places(self)
        if len(written) > 1:
            raise wrong(f"has {listed([f'`{key}`' for key in written])}; keep one: the time is in one place")
        return self


def places(keys: TargetKeys) -> tuple[str, ...]:
    """Return the keys that say where in the reply the time is, of those that are written."""
    return tuple(
        key
        for key in ("field", "header", "text")
        if key in keys.model_fields_set and getattr(keys, key) is not None
    )


class SqlSettings(Strict):
    """A query that returns one value: when the data of a database is from."""

    url: Annotated[
        Secret, BeforeValidator(_plain_file), AfterValidator(lambda url: url.check(_check_sql_url))
    ] = Field(
        description="URL for SQLAlchemy, as that of the top-level `database`; `sqlite:////PATH` with an "
        "absolute path. A secret, because it may hold a password."
    )
    query: Annotated[str, Field(min_length=1, max_length=10_000), AfterValidator(_query)] = Field(
        description="Query that returns one row with one column. It runs in a read-only transaction.",
    )


class EachSettings(Strict):
    """One answer with many targets: their names and times."""

    items: _FieldText = Field(
        description="The list or object in the JSON reply, written like `field`: `jobs`, `data.jobs[]`."
    )
    name: _FieldText | None = Field(
        None, description="Name of an item, in it. Default: its key, if the items are those of an object."
    )
    time: _FieldText = Field(
        description="Time when the data of an item was computed, in it. `@` is the item itself."
    )
    forget_after: Duration = Field(
        Seconds(7 * 86400),
        description="An item that is missing for this long raises one alert. A day later it is forgotten.",
    )


class TargetSettings(TargetKeys, AlertKeys):
    """One target whose age of data is checked. For keys that it leaves out, `defaults` counts.

    It has one of `url`, `file` and `sql`.
    """

    url: KeylessUrl | None = Field(None, description="Address of a server to ask.")
    file: Annotated[str, AfterValidator(_file)] | None = Field(
        None,
        description="Absolute path of files, with `*`, `?`, `[...]`, or `**` for any folders: the newest one "
        "tells how old the data is.",
    )
    sql: SqlSettings | None = Field(None, description="Database to ask.")
    each: EachSettings | None = Field(
        None, description="The reply of `url` has many targets, instead of one time: `TARGET/NAME` for each."
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        written = [key for key in _KINDS if getattr(self, key) is not None]
        if len(written) != 1:
            there_are = f"has {listed([f'`{key}`' for key in written])}" if written else "has no `url`"
            raise wrong(f"{there_are}; write one of {', '.join(f'`{key}`' for key in _KINDS)}")
        kind = "each" if self.each and written[0] == "url" else written[0]
        useless = self.model_fields_set & _USELESS.get(kind, frozenset())
        if useless:
            raise wrong_each([((key,), f"has no effect with `{kind}`; remove it") for key in sorted(useless)])
        return self
