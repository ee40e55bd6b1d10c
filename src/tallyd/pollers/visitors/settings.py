"""The settings of a visitors poller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, tzinfo
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from tallyd.contract.poller import Poller
from tallyd.core.language.messages import english
from tallyd.core.schedule.hours import never_begins
from tallyd.core.texts import UNPRINTABLE
from tallyd.pollers.visitors.ingest.shape import DIGITS
from tallyd.pollers.visitors.inside import MIDNIGHT
from tallyd.pollers.visitors.report_settings import ReportSettings, Text, check_form
from tallyd.settings.alerting import HoursSettings
from tallyd.settings.queries import check_query
from tallyd.settings.types import (
    Duration,
    FolderPath,
    PositiveInt,
    Seconds,
    Strict,
    TimeOfDay,
    as_tuple,
    within,
    wrong,
    wrong_each,
)

__all__ = ["ReportSettings", "VisitorsSettings"]

_LONGEST_SOURCE_BYTES = 200


def _source_name(name: str) -> str:
    if not name.strip() or "/" in name or UNPRINTABLE.search(name) or name.startswith("."):
        raise wrong("must be the name of a sub-folder, without `/`, control characters or a leading dot")
    if len(name.encode()) > _LONGEST_SOURCE_BYTES:
        raise wrong(f"is longer than {_LONGEST_SOURCE_BYTES} bytes")
    return name


def _direction(written: object) -> int | str:
    # Not a union of types: it would report two problems for a wrong type, and accept true as a number.
    if type(written) is int or isinstance(written, str):
        return written
    raise wrong("must be a whole number, or text in quotes")


def _whole_minute(at: time) -> time:
    if at.second:
        raise wrong("must be a whole minute, written HH:MM, since people are counted by the minute")
    return at


def _query(written: str) -> str:
    return check_query(written, example="data or logics[].records[]") if written else written


SourceName = Annotated[str, AfterValidator(_source_name)]
Direction = Annotated[int | str, BeforeValidator(_direction)]
Names = Annotated[tuple[SourceName, ...], BeforeValidator(as_tuple)]


class FieldNames(Strict):
    """The names of a record's fields."""

    id: str = Field("ID", min_length=1, description="Field with the number of the person in this file.")
    direction: str = Field("inOut", min_length=1, description="Field with the direction: see `directions`.")
    time: str = Field("time", min_length=1, description="Field with the time, in `time_format`.")
    frame: str | None = Field(
        "frameNumber", description="Field with the number of the picture; null: no such field."
    )


class IntervalFields(Strict):
    """Where a file has its intervals, and the names of their fields."""

    items: Annotated[str, AfterValidator(_query)] = Field(
        "",
        description="JMESPath of the list of intervals in the JSON, such as `data`. Default: the file is the "
        "list.",
    )
    start: str = Field("start", min_length=1, description="Field with the beginning, in `time_format`.")
    end: str = Field("end", min_length=1, description="Field with the end, in `time_format`.")
    n_in: str = Field("in", alias="in", min_length=1, description="Field with how many came in.")
    n_out: str = Field("out", alias="out", min_length=1, description="Field with how many went out.")

    @field_validator("end", "n_out")
    @classmethod
    def _differs(cls, field: str, info: ValidationInfo) -> str:
        other, key = ("start", "start") if info.field_name == "end" else ("n_in", "in")
        if field == info.data.get(other):
            raise wrong(f"is the same as `{key}`")
        return field


class DirectionValues(Strict):
    """Values of a record's direction. Every other value counts as `other`.

    They are not keys of the poller itself, because `out` there means the folder of its files.
    """

    way_in: Direction = Field(0, alias="in", description="Value that means in.")
    way_out: Direction = Field(1, alias="out", description="Value that means out.")

    @field_validator("way_out")
    @classmethod
    def _differs(cls, way_out: int | str, info: ValidationInfo) -> int | str:
        way_in = info.data.get("way_in")
        if way_in == way_out:
            raise wrong("is the same as `in`")
        if way_in is not None and type(way_in) is not type(way_out):
            raise wrong("must be a number if `in` is one, and text if `in` is text")
        return way_out


class SourceSettings(Strict):
    """One source: a host that drops files into a sub-folder of its name."""

    label: Text | None = Field(None, description="Name for people. Default: the name of the source.")


class NoFilesSettings(Strict):
    """When missing files are an alert."""

    after: Duration = Field(Seconds(300), description="Alert after this time without a file.")
    per_source: bool = Field(
        True,
        description="Watch each of `sources` on its own; false: watch only the inbox as a whole.",
    )
    active: Annotated[tuple[HoursSettings, ...], BeforeValidator(as_tuple)] = Field(
        (), description="Hours in which files must come. Default: always."
    )


class VisitorsSettings(Poller):
    """The settings of a visitors poller."""

    kind: Literal["visitors"] = Field(description="What kind of poller this is.")
    inbox: FolderPath = Field(description="Folder for incoming files, relative to `data_dir`.")
    inbox_is_mount: bool = Field(
        False,
        description="The inbox is a mount. While nothing is mounted there, tallyd creates nothing in it.",
    )
    source: SourceName | None = Field(
        None, description="Source of files directly in the inbox. Default: the poller's name."
    )
    pattern: str = Field("*.json", min_length=1, description="Names of the files to ingest.")
    sweep_every: Annotated[Duration, AfterValidator(within(0.5, 3600.0))] = Field(
        Seconds(2), description="How often to look into the inbox. File events wake it earlier."
    )
    settle: Duration = Field(
        Seconds(2), description="Ingest a file when nobody has written to it for this time."
    )
    max_bytes: int = Field(2**30, ge=1, le=2**40, description="Reject a larger file.")
    records: Literal["passages", "intervals"] = Field(
        "passages", description="What a record is: a person who walked, or how many walked between two times."
    )
    fields: FieldNames = Field(FieldNames(), description="The names of a passage's fields.")
    intervals: IntervalFields = Field(
        IntervalFields(), description="Where intervals are, and the names of their fields."
    )
    directions: DirectionValues = Field(
        DirectionValues(), description="Which value means in and which means out."
    )
    time_format: str = Field(DIGITS, min_length=1, description="Format of times, as for strptime.")
    on_bad_record: Literal["reject-file", "skip-record"] = Field(
        "reject-file", description="What to do about a bad record: reject its file, or leave the record out."
    )
    after: Literal["move", "delete"] = Field(
        "move", description="What to do with a stored file: move it to done/, or delete it."
    )
    done_keep_days: PositiveInt = Field(7, le=36_500, description="Keep files in done/ for this many days.")
    rejected_keep_days: PositiveInt = Field(
        30, le=36_500, description="Keep files in rejected/ for this many days."
    )
    sources: dict[SourceName, SourceSettings] = Field(
        {}, description="Sources that must deliver files, by the name of their sub-folder."
    )
    groups: dict[SourceName, Names] = Field(
        {}, description="Sources to count together, under a name for the group."
    )
    reset_at: Annotated[TimeOfDay, AfterValidator(_whole_minute)] = Field(
        MIDNIGHT,
        description="Time of day at which nobody is inside. `inside` and `balance` are counted from then on; "
        "`in` and `out` are always counted from midnight on.",
    )
    no_files: NoFilesSettings | None = Field(
        None, description="When missing files are an alert; null: never."
    )
    report: ReportSettings | None = Field(
        None, description="The report to an upstream; null: only store and count files."
    )

    @field_validator("fields", "directions", "intervals")
    @classmethod
    def _is_of_use(cls, keys: Strict, info: ValidationInfo) -> Strict:
        records = info.data.get("records", "passages")
        is_of_use = (records == "intervals") == (info.field_name == "intervals")
        if not is_of_use and keys != type(keys)():
            raise wrong(f'is not used with "records": "{records}"')
        return keys

    @field_validator("time_format")
    @classmethod
    def _is_format(cls, written: str) -> str:
        # Without a zone `%Z` has no text: the names of zones are not unique.
        check_form(written, datetime(2026, 11, 20, 12, 59, tzinfo=UTC if "%z" in written else None))
        return written

    @field_validator("groups")
    @classmethod
    def _are_groups(
        cls, groups: dict[str, tuple[str, ...]], info: ValidationInfo
    ) -> dict[str, tuple[str, ...]]:
        known = info.data.get("sources", {})
        problems = [
            ((name,), text)
            for name, members in groups.items()
            for text in [_group_fault(name, members, known)]
            if text
        ]
        if problems:
            raise wrong_each(problems)
        return groups

    @field_validator("report")
    @classmethod
    def _names_what_there_is(
        cls, report: ReportSettings | None, info: ValidationInfo
    ) -> ReportSettings | None:
        if report is None or not isinstance(report.ssid, dict):
            return report
        known = {*info.data.get("sources", {}), *info.data.get("groups", {})}
        problems = [
            (("ssid", name), "is in neither `sources` nor `groups`")
            for name in report.ssid
            if name not in known
        ]
        if problems:
            raise wrong_each(problems)
        return report

    def label_of(self, source: str) -> str | None:
        """Return the name of a source for people; None: it has none."""
        return self.sources[source].label if source in self.sources else None

    def subject_label(self, subject: str) -> str:
        """Return a source with its name for people, if it has one: `Gate 12 (12)`."""
        label = self.label_of(subject)
        return f"{label} ({subject})" if label else subject

    def vain(self, now: datetime, zone: tzinfo) -> Iterable[tuple[tuple[str | int, ...], str]]:
        """Return the hours of `no_files` if they never begin."""
        active = self.no_files.active if self.no_files else ()
        why = never_begins((each.hours for each in active), now.astimezone(zone).date())
        return ((("no_files", "active"), why),) if why else ()

    def notes(self, beside: Mapping[str, Poller]) -> tuple[str, ...]:
        """Return notes for `check` about a config that has no mistake."""
        del beside
        report = self.report
        if report is None or report.url is None or report.success is not None:
            return ()
        why = english(
            "is missing, so any HTTP 2xx answer counts as accepted, but an upstream may also reject with "
            'HTTP 200. Name the answer that means yes: {{"field": "Desc", "equals": [["OK"]]}}'
        )
        return (english("{place}: {why}", place="report.success", why=why),)


def _group_fault(name: str, members: tuple[str, ...], sources: object) -> str | None:
    known = sources if isinstance(sources, dict) else {}
    if name in known:
        return "is the name of a source; give the group another name"
    if not members:
        return "must name at least one source"
    if len(set(members)) < len(members):
        return "names a source twice; keep one"
    return None
