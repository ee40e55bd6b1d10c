"""The settings of the report of a visitors poller."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from tallyd.core.texts import UNPRINTABLE
from tallyd.pollers.visitors.ingest.shape import DIGITS
from tallyd.pollers.visitors.report.upstream import TAGS, Tag
from tallyd.settings.headers import HEADER_NAME, Headers, unencrypted_header
from tallyd.settings.secrets import Secret
from tallyd.settings.types import Duration, Seconds, Strict, as_tuple, within, wrong, wrong_each
from tallyd.settings.urls import KeylessUrl

SHORTEST_EVERY_S: Final = 10.0
MOST_CORRECTED_S: Final = 31 * 86400.0
"""A limit, because each report counts every such day again."""
_LONGEST_TEXT = 100
_TWICE = "is already used for another one; each needs its own name"
_UNENCRYPTED = "may be a secret, and would be sent unencrypted: url begins with http://; use https://"
_HEADER_VALUE = re.compile(r"[ -~]+", re.ASCII)
_OWN_HEADERS = frozenset(
    {"connection", "content-encoding", "content-length", "content-type", "host", "transfer-encoding"}
)


def _fault(written: str) -> str | None:
    """Return what is wrong with a text that other programs read; None: nothing."""
    if not written.strip() or UNPRINTABLE.search(written):
        return "must not be empty, and must not contain control or invisible characters"
    return f"is longer than {_LONGEST_TEXT} characters" if len(written) > _LONGEST_TEXT else None


def _text(written: str) -> str:
    if fault := _fault(written):
        raise wrong(fault)
    return written


def _ssid(written: object) -> str | dict[str, str]:
    """Return the upstream's name for everything, or its name for each source or group."""
    if isinstance(written, str):
        return _text(written)
    if not isinstance(written, dict) or not all(isinstance(each, str) for each in written.values()):
        raise wrong('must be text, or an object with a text for each source or group: {"12": "SS-012"}')
    if not written:
        raise wrong("must name at least one source or group")
    taken = list(written.values())
    problems = [
        ((name,), fault)
        for number, (name, each) in enumerate(written.items())
        if (fault := _fault(each) or (_TWICE if each in taken[:number] else None))
    ]
    if problems:
        raise wrong_each(problems)
    return written


def check_form(written: str, tried: datetime) -> None:
    """Raise `wrong()` unless `written` is a format of a day and a time."""
    try:
        found = datetime.strptime(tried.strftime(written), written)  # noqa: DTZ007 # compared without a zone
    except ValueError:
        found = None
    if found is None or found.replace(tzinfo=None) != tried.replace(tzinfo=None):
        raise wrong(f"is not a format with a full date and time, such as {DIGITS}")


def _header_fault(name: str, secret: Secret, *, is_twice: bool) -> str | None:
    if not HEADER_NAME.fullmatch(name):
        return "is not a header name"
    if name.lower() in _OWN_HEADERS:
        return "is set by tallyd itself; remove it"
    if is_twice:
        return "occurs twice; upper and lower case make no difference"
    if secret.is_known and not _HEADER_VALUE.fullmatch(secret.reveal()):
        return "contains a character that cannot be sent in a header; use only ASCII"
    return None


Text = Annotated[str, AfterValidator(_text)]
Ssid = Annotated[
    str | dict[str, str],
    BeforeValidator(_ssid),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}]}
    ),
]


class SuccessSettings(Strict):
    """How the upstream says that it accepts a report. It may refuse with HTTP 200."""

    field: str = Field(min_length=1, description="Field of the JSON object in its answer.")
    equals: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        description="Values of the field that mean yes."
    )

    @field_validator("equals")
    @classmethod
    def _is_any(cls, equals: tuple[str, ...]) -> tuple[str, ...]:
        if not equals:
            raise wrong('must name at least one text, such as ["OK"]')
        return equals


class TagSettings(Strict):
    """The upstream's numbers for the values of a report, as text."""

    inside: Text = Field(TAGS["Count"], alias="Count", description="Number for the people inside.")
    came: Text = Field(
        TAGS["CountAccuIn"], alias="CountAccuIn", description="Number for the people who came that day."
    )
    left: Text = Field(
        TAGS["CountAccuOut"], alias="CountAccuOut", description="Number for the people who left that day."
    )

    @property
    def by_type(self) -> dict[Tag, str]:
        return {"Count": self.inside, "CountAccuIn": self.came, "CountAccuOut": self.left}


class ReportSettings(Strict):
    """Today's counts: written to out/ at intervals, and posted to an upstream if there is one.

    A check of one key against another belongs to the later key, so that one run finds every problem.
    """

    every: Annotated[Duration, AfterValidator(within(SHORTEST_EVERY_S, 86400.0))] = Field(
        Seconds(300), description="How often, at whole multiples of this time in UTC. `10s` to `1d`."
    )
    url: KeylessUrl | None = Field(
        None, description="Where to post reports; null: only write counts to out/."
    )
    headers: Headers = Field(
        {},
        description="More headers. Each value is a secret, unless it is written directly and the name is "
        "harmless (Accept, User-Agent, X-Api-Version, X-Env, ...).",
    )
    send: bool = Field(True, description="Post the reports; false: only write them to out/.")
    ssid: Ssid | None = Field(
        None,
        description="The upstream's name for everything; or a name for each source or group, which then gets "
        "a report of its own. Required with `url`.",
    )
    tags: TagSettings = Field(TagSettings(), description="The upstream's numbers for the values of a report.")
    window: Literal["records", "interval"] = Field(
        "records",
        description="StartTime and EndTime: those of the first and last record of the day, or of the last "
        "`every`.",
    )
    time_format: str = Field(DIGITS, description="Format of StartTime and EndTime, as for strftime.")
    when_empty: Literal["skip", "zeros"] = Field(
        "skip",
        description="While a day has no records and nobody is inside: send no report, or one with zeros from "
        "midnight on. After a report of that day was sent, reports go on either way.",
    )
    correct_within: Annotated[Duration, AfterValidator(within(1.0, MOST_CORRECTED_S))] = Field(
        Seconds(86400),
        description="Report a past day again if its counts change within this time after its end. At most "
        "`31d`.",
    )
    success: SuccessSettings | None = Field(
        None, description="How the upstream says yes. Default: any 2xx answer means yes."
    )

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, Secret], info: ValidationInfo) -> dict[str, Secret]:
        url = info.data.get("url")
        names = [name.lower() for name in headers]
        problems = [
            ((name,), fault)
            for name, secret in headers.items()
            if (fault := _header_fault(name, secret, is_twice=names.count(name.lower()) > 1))
        ]
        if url is not None and (name := unencrypted_header(url, headers)):
            problems.append(((name,), _UNENCRYPTED))
        if problems:
            raise wrong_each(problems)
        return headers

    @field_validator("ssid")
    @classmethod
    def _is_there(cls, ssid: Ssid | None, info: ValidationInfo) -> Ssid | None:
        if ssid is None and info.data.get("url") is not None:
            raise wrong("is missing; with a url, give the upstream's name for what is counted")
        return ssid

    @field_validator("time_format")
    @classmethod
    def _is_form(cls, written: str) -> str:
        check_form(written, datetime(2026, 11, 20, 12, 59, tzinfo=UTC))
        return written

    @property
    def is_posted(self) -> bool:
        """Whether this poller sends reports at all."""
        return self.send and self.url is not None
