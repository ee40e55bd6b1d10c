"""Reports that come by themselves. Each is a poller of what tallyd has counted, with slots like any other.

`reporting/` makes and sends them, through `Toolbox.reporter`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from tallyd.contract.delivery import Accepted, Refused
from tallyd.contract.job import Job
from tallyd.contract.poller import Found, Poller
from tallyd.contract.reporter import ReportAsked, Reporter, ReportFormat
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.run_alerts import CRASHED, FAILED, MISSED, UNSENT
from tallyd.core.language.messages import mark, tr, translated, translation
from tallyd.core.outbox import report_json
from tallyd.core.panels import Board, Stat
from tallyd.core.periods import By
from tallyd.core.reading import Facts, Json, OutboxMessage, Reading, Slot
from tallyd.core.schedule.parts import Part, part_before
from tallyd.core.schedule.timetable import EVERY_DAY, At
from tallyd.core.texts import items_text
from tallyd.settings.alerting import AlertSettings, ChannelName, TextSettings
from tallyd.settings.types import Days, FolderPath, TimeOfDay, as_tuple, wrong

PREFIX: Final = "report."
"""The report `weekly` is the poller `report.weekly`. No other poller has a dot in its name."""
CATCH_UP_S: Final = 3 * 86400.0
"""A report of days that are over loses nothing by coming late; after a long week-end it is still of use."""
LIMIT_S: Final = 900.0

Period: TypeAlias = Literal["yesterday", "last-week", "last-month", "last-quarter", "last-year"]
_PARTS: Final[Mapping[Period, Part]] = {
    "yesterday": "day",
    "last-week": "week",
    "last-month": "month",
    "last-quarter": "quarter",
    "last-year": "year",
}
_WORKS_AGAIN: Final = mark("{poller}: reports are made again")
_ALERTS: Final = AlertSettings(
    raise_after=1,
    resolve_after=1,
    texts={
        FAILED.what: TextSettings(
            text=mark(
                "{poller}: no report[ for {slot}]: {reason}.[ Retrying until {again_until}.]"
                "[ Next slot {next_slot}.] To make it when that is fixed: {tallyd} once {poller}"
            ),
            over=_WORKS_AGAIN,
        ),
        MISSED.what: TextSettings(
            text=mark(
                "{poller}: no report for {slots}: {reason}.[ Next slot {next_slot}.]"
                " To make the last one: {tallyd} once {poller}"
            ),
            over=_WORKS_AGAIN,
        ),
        CRASHED.what: TextSettings(
            text=mark(
                "{poller}: no report[ for {slot}]: tallyd itself failed ({reason}). "
                "The log has the traceback; please report it.[ Next slot {next_slot}.]"
            ),
            over=_WORKS_AGAIN,
        ),
    },
)


class Report(Poller):
    """A report that tallyd makes and sends regularly. At least one of `channels` and `dir` is needed."""

    kind: ClassVar[str] = "report"  # type: ignore[misc] # nobody writes it: `reports` has no other kind
    at: TimeOfDay = Field(description="Local time of day at which to make it.")
    period: Period = Field(
        description="The days that it is of: `yesterday`, `last-week` (from Monday on), `last-month`, "
        "`last-quarter` or `last-year`. It is made once after each, on the first of `days`."
    )
    days: Days = Field(
        EVERY_DAY,
        description="Days on which to make it. Default: every day, so the first day after `period`.",
    )
    pollers: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        (), description="Pollers to report on, by name. Default: all that know the options below."
    )
    by: By | None = Field(
        None,
        description="Group by this: `hour`, `day`, `weekday`, `week`, `month` or `year`. Default: no "
        "grouping; visitors: by hour.",
    )
    source: str = Field("", description="Visitors: only this source.")
    group: str = Field(
        "",
        description="Visitors, servers: only this group of sources or targets. Divera: a requirement by its "
        "name, or statuses to add up, such as `50101+50102`.",
    )
    target: str = Field("", description="Servers: only this target.")
    fulfilment: bool = Field(False, description="Divera: how often requirements were met.")
    format: ReportFormat = Field(
        "html", description="Format of its files: `html`, `csv` (a file for each poller) or `json`."
    )
    table: str = Field("", description="CSV: only this table, by its key in the JSON.")
    excel: bool = Field(False, description="CSV: for Excel, in the language of who gets it.")
    channels: Annotated[tuple[ChannelName, ...], BeforeValidator(as_tuple)] = Field(
        (),
        description="Channels to send it to. Mail and Telegram get the file, every channel the numbers in "
        "words and, with `web.public_url`, a link.",
    )
    dir: FolderPath | None = Field(
        None,
        description="Folder to write its files to, relative to `data_dir`; null: none. They stay for ever.",
    )
    alerts: AlertSettings | None = Field(
        None, description="Keys of `alerts` that differ for alerts about this report."
    )

    @field_validator("group")
    @classmethod
    def _is_alone(cls, group: str, info: ValidationInfo) -> str:
        if group and info.data.get("source"):
            raise wrong("and `source` exclude each other; leave one out")
        return group

    @field_validator("table", "excel")
    @classmethod
    def _is_csv(cls, wanted: str | bool, info: ValidationInfo) -> str | bool:
        if wanted and info.data.get("format") in ("html", "json"):
            raise wrong('is only for `"format": "csv"`')
        return wanted

    @field_validator("dir")
    @classmethod
    def _goes_somewhere(cls, folder: str | None, info: ValidationInfo) -> str | None:
        if folder is None and info.data.get("channels") == ():
            raise wrong("is needed if `channels` names no channel: the report would go nowhere")
        return folder

    @field_validator("alerts")
    @classmethod
    def _with_texts(cls, alerts: AlertSettings | None) -> AlertSettings:
        own = {name: getattr(alerts, name) for name in alerts.model_fields_set} if alerts else {}
        return _ALERTS.model_copy(update={**own, "texts": {**_ALERTS.texts, **own.get("texts", {})}})

    @property
    def wanted_options(self) -> Mapping[str, str]:
        """Return its options, as `Poller.options` of what it reports on."""
        written = {"source": self.source, "group": self.group, "target": self.target}
        written["fulfilment"] = "yes" if self.fulfilment else ""
        return {option: value for option, value in written.items() if value}

    @classmethod
    def alert_kinds(cls) -> tuple[AlertKind, ...]:
        """Return the problem of a channel that does not accept it."""
        return (UNSENT,)

    def watched(self) -> Mapping[str, frozenset[str]]:
        """Return the channels."""
        return {UNSENT.what: frozenset(self.channels)}

    def jobs(self) -> tuple[Job, ...]:
        """Return its one job."""
        job = Job(
            name="report",
            when=At((self.at,), self.days, _PARTS[self.period]),
            evaluates=frozenset(),
            limit_s=LIMIT_S,
            catch_up_s=CATCH_UP_S,
            run=self._run,
        )
        return (job,)

    def probe(self, tools: Toolbox) -> tuple[Found, ...]:
        """Return nothing: there is no source to ask."""
        del tools
        return ()

    def is_sending(self) -> bool:
        """Whether any channel gets it."""
        return bool(self.channels)

    def deliver(self, message: OutboxMessage, tools: Toolbox, *, timeout_s: float) -> Accepted | Refused:
        """Send it to the channel that the message names. Raises `SourceError`, `Stopped`."""
        del timeout_s  # a channel has a limit of its own
        days = message.body if isinstance(message.body, dict) else {}
        first, last = (date.fromisoformat(str(days[key])) for key in ("from", "to"))
        _reporter(tools).send(self._asked(tools.poller, first, last), message.ssid)
        return Accepted("")

    def reading_board(self, content: Facts) -> Board:
        """Return the days and the files of one report, and which channels have accepted it."""
        files = content.get("files")
        shown = {
            "from": (tr("from"), str(content.get("from"))),
            "to": (tr("to"), str(content.get("to"))),
            "files": (tr("files"), ", ".join(map(str, files)) if isinstance(files, list) else ""),
            "channels": (tr("channels"), self._accepted_by(content.get("report"))),
        }
        return Board(
            panels=tuple(
                Stat(key=key, name=name, value=value, unit="text")
                for key, (name, value) in shown.items()
                if value
            )
        )

    def _accepted_by(self, report: Json) -> str:
        """Return `ops: accepted, mail: waits (connection refused)`; empty if nothing was sent."""
        if not isinstance(report, dict):
            return ""
        by_channel = report.get("by_ssid") or {self.channels[0]: report}
        return items_text(
            tr(
                "{channel}: {state}[ ({answer})]",
                channel=channel,
                state=translation("accepted" if outcome["state"] == "sent" else "waits"),
                answer=translated(str(outcome["answer"] or "")),
            )
            for channel, outcome in (by_channel.items() if isinstance(by_channel, dict) else ())
            if isinstance(outcome, dict)
        )

    def _run(self, slot: Slot, tools: Toolbox) -> tuple[Reading, ...]:
        due_day = slot.due_at.astimezone(tools.zone).date()
        first, last = part_before(_PARTS[self.period], due_day)
        facts = _reporter(tools).write(self._asked(tools.poller, first, last))
        # Only the days: each channel gets the report in its own language, and state.db stays small.
        days: dict[str, Json] = {"from": first.isoformat(), "to": last.isoformat()}
        outbox = tuple(OutboxMessage(ssid=each, day=due_day, body=days) for each in self.channels)
        sent = {"report": report_json(outbox, {})} if outbox else {}
        return (Reading(taken_at=tools.now(), facts={**days, **facts, **sent}, outbox=outbox),)

    def _asked(self, poller: str, first: date, last: date) -> ReportAsked:
        return ReportAsked(
            name=poller.removeprefix(PREFIX),
            first=first,
            last=last,
            pollers=self.pollers,
            by=self.by,
            options=self.wanted_options,
            format=self.format,
            table=self.table,
            excel=self.excel,
            folder=self.dir,
        )


def _reporter(tools: Toolbox) -> Reporter:
    if tools.reporter is None:
        raise ValueError("a report was run without a reporter")
    return tools.reporter
