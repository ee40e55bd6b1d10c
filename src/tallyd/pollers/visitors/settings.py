"""The settings of a visitors poller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, tzinfo
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from tallyd.contract.poller import Poller
from tallyd.core.language.messages import english
from tallyd.core.schedule.hours import never_begins
from tallyd.core.texts import UNPRINTABLE
from tallyd.pollers.visitors.file_settings import DirectionValues, FieldNames, IntervalFields
from tallyd.pollers.visitors.ingest.shape import DIGITS
from tallyd.pollers.visitors.inside import MIDNIGHT
from tallyd.pollers.visitors.report_settings import ReportSettings, Text, check_form
from tallyd.settings.alerting import HoursSettings
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


def source_name(name: str) -> str:
    """Return the name of a source; raise `wrong()` if it can be none."""
    if not name.strip() or "/" in name or UNPRINTABLE.search(name) or name.startswith("."):
        raise wrong("must be the name of a sub-folder, without `/`, control characters or a leading dot")
    if len(name.encode()) > _LONGEST_SOURCE_BYTES:
        raise wrong(f"is longer than {_LONGEST_SOURCE_BYTES} bytes")
    return name


def _whole_minute(at: time) -> time:
    if at.second:
        raise wrong("must be a whole minute, written HH:MM, since people are counted by the minute")
    return at


_OF_INBOX: Final = (
    *(
        "inbox_is_mount",
        "source",
        "pattern",
        "sweep_every",
        "settle",
        "max_bytes",
        "records",
        "fields",
        "intervals",
    ),
    *("directions", "time_format", "on_bad_record", "after", "done_keep_days", "rejected_keep_days"),
)
"""The keys that say how files are ingested."""

SourceName = Annotated[str, AfterValidator(source_name)]
Names = Annotated[tuple[SourceName, ...], BeforeValidator(as_tuple)]


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
    inbox: FolderPath | None = Field(
        None,
        description="Folder for incoming files, relative to `data_dir`. Without it, the poller is a "
        "centre: it watches and reports what other hosts ingest into the same database under the same name.",
    )
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

    @field_validator(*_OF_INBOX)
    @classmethod
    def _has_inbox(cls, value: object, info: ValidationInfo) -> object:
        is_default = value == cls.model_fields[str(info.field_name)].default
        if "inbox" in info.data and info.data["inbox"] is None and not is_default:
            raise wrong("is not used without `inbox`")
        return value

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

    @property
    def leads(self) -> bool:
        """Whether it also watches the hosts that ingest files for it: a collector does not."""
        return self.inbox is None or self.report is not None

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
        found, report = [], self.report
        if self.inbox is None:
            found.append(
                english(
                    "{place}: {why}",
                    place="inbox",
                    why=english(
                        "is missing, so this poller ingests no files: it watches and reports what other "
                        "hosts ingest into the same database, for pollers with its name"
                    ),
                )
            )
        if report is None or report.url is None or report.success is not None:
            return tuple(found)
        why = english(
            "is missing, so any HTTP 2xx answer counts as accepted, but an upstream may also reject with "
            'HTTP 200. Name the answer that means yes: {{"field": "Desc", "equals": [["OK"]]}}'
        )
        return (*found, english("{place}: {why}", place="report.success", why=why))


def _group_fault(name: str, members: tuple[str, ...], sources: object) -> str | None:
    known = sources if isinstance(sources, dict) else {}
    if name in known:
        return "is the name of a source; give the group another name"
    if not members:
        return "must name at least one source"
    if len(set(members)) < len(members):
        return "names a source twice; keep one"
    return None
