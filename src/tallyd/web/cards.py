"""What the page shows of every poller besides its board, and of tallyd itself: state, problems, next run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from tallyd.core.alerts.rules import OWN, Alert
from tallyd.core.language.formats import span
from tallyd.core.language.messages import mark, tr
from tallyd.core.leader import standby_text
from tallyd.core.naming import key_segments
from tallyd.core.panels import Board, Stat
from tallyd.core.schedule.timetable import Every
from tallyd.core.states import Level, State
from tallyd.core.stored import LastReading
from tallyd.presentation.html.view import View
from tallyd.web.alert_lines import AlertLine, alert_lines
from tallyd.web.context import Context

SILENT_AFTER_S: Final = 60.0
_WORDS: Final[Mapping[Level, str]] = {
    "error": mark("Trouble"),
    "warning": mark("Needs a look"),
    "unknown": mark("No reading yet"),
    "fine": mark("All well"),
}
"""The worst level first."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Card:
    """A poller, or one subject of it, such as a target; empty: the poller.

    `title` is what people call it.

    `waiting` problems are no alerts yet. `every` says when its jobs run that have no slots.
    """

    poller: str
    subject: str
    title: str
    view: View
    state: State
    last: LastReading | None
    last_label: str
    next_at: datetime | None
    every: str
    alerts: tuple[AlertLine, ...]
    waiting: tuple[AlertLine, ...]
    board: Board


@dataclass(frozen=True, kw_only=True)
class Head:
    """The top of the page: whose tallyd this is, each poller's state, and the worst of them and of itself.

    `problems` is how many are open in all, `alerts` are tallyd's own. `silent_for` is how long its schedule
    has stood still, empty if it has not; `restart` says what helps.
    `standby` says who works, if this daemon does not.
    """

    name: str
    view: View
    state: State
    pollers: Mapping[str, State]
    problems: int
    alerts: tuple[AlertLine, ...]
    silent_for: str
    restart: str
    standby: str


class Cards:
    """Reads the pollers as they are at one instant. Raises `StateError`.

    `query` is what all links of the head keep.
    """

    def __init__(self, context: Context, query: Mapping[str, str] = _NOTHING) -> None:
        self._context = context
        self._query = query
        self._config = context.config()
        pollers = self._config.settings.pollers
        self._pasts = {name: context.past(name) for name in pollers}
        self._lasts = {name: context.shown.last(pollers[name], past) for name, past in self._pasts.items()}
        self._mutes = context.mutes()
        self._now = context.now()
        self._alerts: dict[str, list[Alert]] = {}
        for alert in sorted(
            context.alerts().values(), key=lambda each: (each.severity, each.since, each.key)
        ):
            if alert.over_at is None:
                # Alerts without a card, such as those of reports, stand at the top of the page.
                poller = key_segments(alert.key)[0]
                self._alerts.setdefault(poller if poller in pollers else OWN, []).append(alert)

    def card(self, name: str, view: View, subject: str = "") -> Card:
        """Return a configured poller or one subject of it, to be shown by a view, which may be of a group."""
        poller, past = self._config.settings.pollers[name], self._pasts[name]
        plain_s = [
            job.when.interval_s for job in poller.jobs() if isinstance(job.when, Every) and not job.when.grid
        ]
        group = view.options.get("group", "")
        board = self._context.shown.now(poller, past, subject, group)
        named = {stat.key: stat for stat in board.stats if stat.key in ("name", "state")} if subject else {}
        about = {subject} if subject else poller.group_members().get(group, frozenset())
        subjects = about | poller.shared_subjects() if about else frozenset()
        return Card(
            poller=name,
            subject=subject,
            title=poller.subject_label(subject) if subject else name,
            view=view,
            state=_state_of_subject(board, named.get("state")) if subject else self.state(name),
            last=self._lasts[name],
            last_label=poller.last_label(),
            next_at=past.next_at,
            every=tr("every {span}", span=span(min(plain_s))) if plain_s else "",
            alerts=self._lines(_about(self._open(name), subjects)),
            waiting=self._lines(_about([each for each in self._of(name) if each.is_waiting], subjects)),
            # They stand in the heading.
            board=replace(board, panels=tuple(each for each in board.panels if each not in named.values())),
        )

    def head(self) -> Head:
        """Return the top of the page."""
        levels = {self._level(name) for name in (OWN, *self._pasts)}
        worst = next(level for level in _WORDS if level in levels)
        word = mark("Not everything was read yet") if worst == "unknown" else _WORDS[worst]
        ticked_s = self._context.runs.ticked_s()
        silent_s = 0.0 if ticked_s is None else self._context.monotonic() - ticked_s
        return Head(
            name=self._config.settings.name,
            view=View(zone=self._config.zone, now=self._now, query=self._query),
            state=State(worst, word) if self._pasts else State("unknown", mark("No poller is configured")),
            pollers={name: self.state(name) for name in self._pasts},
            problems=sum(len(self._open(name)) for name in (OWN, *self._pasts)),
            alerts=self._lines(self._open(OWN)),
            silent_for=span(silent_s) if silent_s > SILENT_AFTER_S else "",
            restart=self._context.restart,
            standby=self._standby(),
        )

    def _standby(self) -> str:
        leader = self._context.leader
        return standby_text(leader(), self._config.zone, now=self._now) if leader else ""

    def state(self, name: str) -> State:
        """Return how a configured poller is."""
        level = self._level(name)
        return State(level, _WORDS[level])

    def _of(self, name: str) -> Sequence[Alert]:
        """Return the alerts of a poller or of tallyd that are not resolved, errors first, then the oldest."""
        return self._alerts.get(name, ())

    def _open(self, name: str) -> list[Alert]:
        return [alert for alert in self._of(name) if alert.is_open]

    def _level(self, name: str) -> Level:
        """Return the state that open alerts make; without any, it depends on whether anything was read."""
        alerts = self._open(name)
        if alerts:
            return "error" if alerts[0].severity == "error" else "warning"
        return "fine" if name == OWN or self._lasts[name] else "unknown"

    def _lines(self, alerts: Sequence[Alert]) -> tuple[AlertLine, ...]:
        return tuple(alert_lines(alerts, self._context, self._mutes, now=self._now))


def _state_of_subject(board: Board, stat: Stat | None) -> State:
    """Return the state of a subject. Without one, the config no longer has the subject."""
    if stat is not None and isinstance(stat.value, State):
        return stat.value
    return State("unknown", mark("not known") if board.troubles else mark("no longer watched"))


def _about(alerts: Sequence[Alert], subjects: Collection[str]) -> Sequence[Alert]:
    """Return the alerts about some subjects; empty: all."""
    return [each for each in alerts if key_segments(each.key)[1] in subjects] if subjects else alerts
