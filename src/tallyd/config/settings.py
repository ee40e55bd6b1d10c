"""The keys of the config file, as types."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, TypeAlias, get_args

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from tallyd.config.kinds import KINDS
from tallyd.contract.poller import Poller
from tallyd.core.alerts.daemon_alerts import OWN_KINDS
from tallyd.core.language.languages import Language
from tallyd.core.texts import listed
from tallyd.pollers.report import Report
from tallyd.settings.alerting import AlertSettings, ChannelName, ChannelOrUrl, check_texts
from tallyd.settings.calendars import CALENDAR_NAME, CalendarSettings
from tallyd.settings.intake import IntakeSettings
from tallyd.settings.pollers import RetrySettings
from tallyd.settings.top import (
    DatabaseSettings,
    HeartbeatSettings,
    HttpSettings,
    LogSettings,
    OutSettings,
    StateSettings,
)
from tallyd.settings.types import (
    FolderPath,
    Strict,
    Zone,
    did_you_mean,
    not_at_top,
    wrong,
    wrong_each,
)
from tallyd.settings.web import WebSettings

if TYPE_CHECKING:
    AnyPoller: TypeAlias = Poller
else:
    AnyPoller = Annotated[reduce(or_, KINDS), Field(discriminator="kind")]
"""A poller of any kind, distinguished by `kind`."""
BY_KIND: dict[str, type[Poller]] = {get_args(each.model_fields["kind"].annotation)[0]: each for each in KINDS}
"""The kinds, by the value of `kind`."""

CalendarName = Annotated[str, StringConstraints(pattern=CALENDAR_NAME, max_length=60)]
PollerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=60)]


class Settings(Strict):
    """The whole config file."""

    schema_: str | None = Field(
        None, alias="$schema", description="JSON Schema of this file, for editors. tallyd does not read it."
    )
    name: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        max_length=100,
        description="Name of this tallyd in every notice. Default: the host name.",
    )
    timezone: Zone | None = Field(
        None, description="Time zone of all times of day, such as `Europe/Berlin`. Default: that of the host."
    )
    language: Language = Field(
        "en",
        description="Language of notices, reports and commands: `en`, `de` or `zh-TW`. The page "
        "prefers that of the browser. The log, JSON and config errors are English.",
    )
    data_dir: FolderPath = Field(
        ".",
        description="Base folder for relative paths. It is relative to the folder of this file.",
    )
    out: OutSettings = Field(OutSettings(), description="Where tallyd writes the counts.")
    log: LogSettings = Field(LogSettings(), description="The rotating JSON log.")
    state: StateSettings = Field(StateSettings(), description="The state of the daemon.")
    database: DatabaseSettings = Field(
        DatabaseSettings(), description="The database of records of visitors and servers pollers."
    )
    http: HttpSettings = Field(HttpSettings(), description="How tallyd sends HTTP requests.")
    retry: RetrySettings = Field(RetrySettings(), description="How to retry a failed request.")
    channels: dict[ChannelName, ChannelOrUrl] = Field(
        {},
        description="Recipients of notices, by name: URLs of Apprise (https://appriseit.com), or a webhook "
        "of Rocket.Chat. Secrets. In a password or token write `@` as `%40`, `/` as `%2F`, `:` as "
        "`%3A`, `#` as `%23`, `?` as `%3F`. For notices in another language write "
        '`{"url": "...", "language": "de"}`.',
    )
    alerts: AlertSettings = Field(
        AlertSettings(), description="How alerts are sent. `texts` are for tallyd's own problems."
    )
    calendars: dict[CalendarName, CalendarSettings] = Field(
        {},
        description="Calendars by name: which days are open. `calendar` in hours names one.",
    )
    heartbeat: HeartbeatSettings | None = Field(
        None, description="A dead man's switch: it notices when tallyd stops."
    )
    web: WebSettings | None = Field(
        None, description="The status page with metrics and an API; null: no page."
    )
    intake: IntakeSettings | None = Field(
        None, description="Where cameras send files over HTTP; null: they only drop them into the inbox."
    )
    pollers: dict[PollerName, AnyPoller] = Field(
        {}, description="The pollers by name. There may be several of one kind."
    )
    reports: dict[PollerName, Report] = Field(
        {}, description="Reports by name that tallyd makes and sends by itself (docs/reports.md)."
    )

    @field_validator("alerts")
    @classmethod
    def _has_known_texts(cls, alerts: AlertSettings) -> AlertSettings:
        check_texts(alerts.texts, OWN_KINDS)
        return alerts

    @field_validator("pollers")
    @classmethod
    def _no_reserved_name(cls, pollers: dict[str, Poller]) -> dict[str, Poller]:
        if "tallyd" in pollers:
            raise wrong('the name "tallyd" is reserved for the daemon; choose another')
        return pollers

    @field_validator("reports")
    @classmethod
    def _are_of_pollers(cls, reports: dict[str, Report], info: ValidationInfo) -> dict[str, Report]:
        pollers = info.data.get("pollers")
        problems = [
            ((name, *place), text)
            for name, report in reports.items()
            for place, text in _problems_of_report(report, pollers or {})
        ]
        if pollers is not None and problems:
            raise wrong_each(problems)
        return reports


def _problems_of_report(
    report: Report, pollers: Mapping[str, Poller]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what a report asks for and its pollers do not have."""
    for number, name in enumerate(report.pollers):
        if name not in pollers:
            yield ("pollers", number), str(not_at_top("poller", name, tuple(pollers)))
    asked = {name: pollers[name] for name in report.pollers or pollers if name in pollers}
    need = all if report.pollers else any  # those that are not named are left out
    options = report.wanted_options
    for option in options:
        kinds = listed([kind for kind, each in BY_KIND.items() if option in each.options()])
        if asked and not need(option in each.options() for each in asked.values()):
            yield (option,), f"is only for pollers of kind {kinds}; name them in `pollers`"
    if report.table:
        options = {**options, "table": report.table}
    knowing = [name for name, each in asked.items() if {*report.wanted_options} <= {*each.options()}]
    for option, value in options.items():
        known = {name: asked[name].known(option, options, poller=name) for name in knowing}
        lacking = [name for name, values in known.items() if values is not None and value not in values]
        if lacking and not need(name not in lacking for name in knowing):
            whose = "no poller of this report has such a"
            if report.pollers:
                whose, lacking = f"{lacking[0]} has no such", lacking[:1]
            there_are = tuple(dict.fromkeys(each for name in lacking for each in known[name] or ()))
            hint = did_you_mean(value, there_are) or f"; there is: {', '.join(there_are) or 'none'}"
            yield (option,), f"{whose} {option}{hint}"
