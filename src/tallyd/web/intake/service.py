"""The intake of a running daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tallyd.adapters.inbox.filenames import Pattern, is_ignored, source_of
from tallyd.config.model import Config
from tallyd.config.problems import place_of
from tallyd.core.alerts.daemon_alerts import INTAKE
from tallyd.core.errors import ConfigProblem
from tallyd.settings.intake import IntakeSettings
from tallyd.web.http.service import Service, missing_library

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tallyd.web.intake.application import Sender


def intake_problems(config: Config) -> tuple[ConfigProblem, ...]:
    """Return the problems of an `intake`: a library, its place, and senders whose files nobody ingests."""
    intake, web = config.settings.intake, config.settings.web
    if intake is None:
        return ()
    if missing := missing_library("intake", "tallyd.web.intake.application"):
        return missing
    if web and intake.port and (intake.address, intake.port) == (web.address, web.port):
        return (ConfigProblem("intake.listen", "is the place of the page (web.listen); use another port"),)
    problems = ((sender, _problem_of(sender, config)) for sender in intake.passwords)
    return tuple(
        ConfigProblem(place_of(("intake", "passwords", sender)), text) for sender, text in problems if text
    )


def _problem_of(sender: str, config: Config) -> str:
    from tallyd.web.intake.application import EXAMPLE  # noqa: PLC0415 # see `Service`

    name, _, source = sender.partition("/")
    poller = config.settings.pollers.get(name)
    needed = poller.inbox_needed(name) if poller else None
    if needed is None:
        return f"names no poller with an inbox: {name}"
    if is_ignored(source) or source_of(source) != source:
        return "is no name of a folder whose files are ingested; use letters and digits"
    if not Pattern(needed.pattern).wants(EXAMPLE):
        return (
            f"its files get names such as {EXAMPLE}, which the pattern of {name} ({needed.pattern}) excludes"
        )
    return ""


class Intake(Service[IntakeSettings]):
    """Receives files while the config has an `intake`."""

    what = "intake"
    kind = INTAKE

    def _wanted(self, config: Config) -> IntakeSettings | None:
        return config.settings.intake

    def _application(self, wanted: IntakeSettings) -> ASGIApp:
        from tallyd.web.intake.application import application  # noqa: PLC0415 # see `Service`

        passwords = {name: password.reveal() for name, password in wanted.passwords.items()}
        return application(passwords, self._sender_of, now=self._now)

    def _sender_of(self, name: str) -> Sender | None:
        from tallyd.web.intake.application import Sender  # noqa: PLC0415 # see `Service`

        config = self._config
        poller, _, source = name.partition("/")
        found = config.settings.pollers.get(poller)
        needed = found.inbox_needed(poller) if found else None
        if needed is None:
            return None
        return Sender(
            inbox=config.inboxes[poller],
            is_mount=needed.is_mount,
            source=source,
            max_bytes=needed.max_bytes,
        )
