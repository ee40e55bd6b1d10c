"""What a config may say about a visitors poller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from tallyd.core.texts import UNPRINTABLE
from tallyd.pollers.visitors.ingest.minute_counts import DIGITS
from tallyd.pollers.visitors.report_settings import ReportSettings, Text, check_form
from tallyd.settings.alerting import HoursSettings
from tallyd.settings.pollers import PollerSettings
from tallyd.settings.types import (
    Duration,
    FolderPath,
    PositiveInt,
    Seconds,
    Strict,
    as_tuple,
    within,
    wrong,
    wrong_each,
)

__all__ = ["ReportSettings", "VisitorsSettings"]

_LONGEST_SOURCE_BYTES = 200


def _source_name(name: str) -> str:
    if not name.strip() or "/" in name or UNPRINTABLE.search(name) or name.startswith("."):
        raise wrong("must be the name of a sub-folder: no `/`, no control character, no dot in front")
    if len(name.encode()) > _LONGEST_SOURCE_BYTES:
        raise wrong(f"is longer than {_LONGEST_SOURCE_BYTES} bytes")
    return name


def _direction(written: object) -> int | str:
    # Not by a union of types: of what is neither, it would name two problems, and true is no number here.
    if type(written) is int or isinstance(written, str):
        return written
    raise wrong("must be a whole number, or text in quotes")


SourceName = Annotated[str, AfterValidator(_source_name)]
Direction = Annotated[int | str, BeforeValidator(_direction)]
Names = Annotated[tuple[SourceName, ...], BeforeValidator(as_tuple)]


class FieldNames(Strict):
    """The names of a record's fields."""

    id: str = Field("ID", min_length=1, description="A number that stands for the person in this file.")
    direction: str = Field("inOut", min_length=1, description="Which way: see `in` and `out`.")
    time: str = Field("time", min_length=1, description="When, in the form of `time_format`.")
    frame: str | None = Field("frameNumber", description="Number of the picture; null: there is none.")


class DirectionValues(Strict):
    """Values of a record's direction; every other one is counted as `other`.

    Not keys of the poller itself, as which they would clash with `out`, where its files are kept.
    """

    way_in: Direction = Field(0, alias="in", description="The value that means in.")
    way_out: Direction = Field(1, alias="out", description="The value that means out.")

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

    label: Text | None = Field(None, description="What people call it; default: its name.")


class NoFilesSettings(Strict):
    """When it is an alert that no files come."""

    after: Duration = Field(Seconds(300), description="So long without a file is too long.")
    per_source: bool = Field(
        True,
        description="Watch each of `sources` by itself; false: only that the inbox as a whole gets files.",
    )
    active: Annotated[tuple[HoursSettings, ...], BeforeValidator(as_tuple)] = Field(
        (), description="Hours in which files are expected. Default: always."
    )


class VisitorsSettings(PollerSettings):
    """The settings of a visitors poller."""

    kind: Literal["visitors"] = Field(description="What kind of poller this is.")
    inbox: FolderPath = Field(description="Folder into which files are dropped; relative to `data_dir`.")
    inbox_is_mount: bool = Field(
        False, description="The inbox is a mount; while nothing is mounted there, nothing is made in it."
    )
    source: SourceName | None = Field(
        None, description="Source of files directly in the inbox. Default: the poller's name."
    )
    pattern: str = Field("*.json", min_length=1, description="Names of the files that are taken.")
    sweep_every: Annotated[Duration, AfterValidator(within(0.5, 3600.0))] = Field(
        Seconds(2), description="How often it looks into the inbox; besides, it is woken by events."
    )
    settle: Duration = Field(
        Seconds(2), description="A file is taken once nothing was written to it for so long."
    )
    max_bytes: int = Field(2**30, ge=1, le=2**40, description="A larger file is refused.")
    fields: FieldNames = Field(FieldNames(), description="The names of a record's fields.")
    directions: DirectionValues = Field(DirectionValues(), description="Which value means in, and which out.")
    time_format: str = Field(DIGITS, min_length=1, description="Form of times, as strptime has it.")
    on_bad_record: Literal["reject-file", "skip-record"] = Field(
        "reject-file", description="What a record that can't be taken does: refuse its file, or be left out."
    )
    after: Literal["move", "delete"] = Field(
        "move", description="What becomes of a file that was stored: moved to done/, or deleted."
    )
    done_keep_days: PositiveInt = Field(7, le=36_500, description="Files in done/ are kept so long.")
    rejected_keep_days: PositiveInt = Field(30, le=36_500, description="Files in rejected/ are kept so long.")
    sources: dict[SourceName, SourceSettings] = Field(
        {}, description="Sources that must deliver, by the name of their sub-folder."
    )
    groups: dict[SourceName, Names] = Field(
        {}, description="Sources that are counted together, by a name of their own."
    )
    no_files: NoFilesSettings | None = Field(
        None, description="When it is an alert that no files come; null: never."
    )
    report: ReportSettings | None = Field(
        None, description="The report to an upstream; null: files are only stored and counted."
    )

    @field_validator("time_format")
    @classmethod
    def _is_format(cls, written: str) -> str:
        check_form(written, datetime(2026, 11, 20, 12, 59))  # noqa: DTZ001 # any time, of any zone
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
            (("ssid", name), "is neither one of `sources` nor one of `groups`")
            for name in report.ssid
            if name not in known
        ]
        if problems:
            raise wrong_each(problems)
        return report

    def notes(self, beside: Mapping[str, PollerSettings]) -> tuple[str, ...]:
        """Return what is worth a line when the config is checked, though nothing is wrong with it."""
        del beside
        report = self.report
        if report is None or report.url is None or report.success is not None:
            return ()
        note = (
            "report.success: is missing, so that any answer with HTTP 2xx counts as taken; an upstream may "
            'refuse with HTTP 200 as well. Name what it says then: {"field": "Desc", "equals": ["OK"]}'
        )
        return (note,)


def _group_fault(name: str, members: tuple[str, ...], sources: object) -> str | None:
    known = sources if isinstance(sources, dict) else {}
    if name in known:
        return "is the name of a source; a group needs another"
    if not members:
        return "must name one source at least"
    if len(set(members)) < len(members):
        return "names a source twice; nobody is counted twice"
    return None
