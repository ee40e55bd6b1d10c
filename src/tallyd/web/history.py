"""How pollers were: the days that were asked for, rendered, and the last 24 hours.

A history is of hours and days, and costs more than the rest of a view. So it is shown again for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args
from urllib.parse import urlencode

from markupsafe import Markup

from tallyd.contract.board import Asked
from tallyd.contract.poller import Poller
from tallyd.core.alerts.incident_states import well_share
from tallyd.core.alerts.incident_view import no_incident
from tallyd.core.errors import RecordsError
from tallyd.core.language.messages import tr, translated
from tallyd.core.panels import Board, Cell, unreadable
from tallyd.core.periods import By
from tallyd.core.schedule.days import day_of
from tallyd.core.states import Timeline
from tallyd.presentation.html.view import View
from tallyd.storage.shown import BugError
from tallyd.web.context import Context
from tallyd.web.form import choices, ranges
from tallyd.web.http.cache import Cache
from tallyd.web.incidents import lines_of

HISTORY_S: Final = 15.0
"""For this long, a history is shown again."""
TIMES: Final = 20.0
"""The days of ten thousand targets take a second to read: a board is shown again for 20 times as long."""
MOST_BOARDS: Final = 8
_PARTS: Final = ("form", "past")


@dataclass(frozen=True, kw_only=True)
class LastDay:
    """How a poller was in the last 24 hours; `share`: of the time that is known, without an incident."""

    timeline: Timeline
    share: Cell


class History:
    """Histories of configured pollers. Any number of threads. `render` renders a template with values.

    Every method raises `StateError`.
    """

    def __init__(self, context: Context, render: Callable[[str, Mapping[str, Any]], str]) -> None:
        self._context = context
        self._render = render
        self._boards: Cache[Board] = Cache(context.monotonic, times=TIMES, most=MOST_BOARDS)
        self._rendered: Cache[Mapping[str, Markup]] = Cache(context.monotonic, for_s=HISTORY_S)
        self._last_days: Cache[LastDay] = Cache(context.monotonic, for_s=HISTORY_S, times=TIMES)

    def board(self, name: str, asked: Asked) -> Board:
        """Return the days that were asked for. Raises as `Shown.past`."""
        key = (self._context.config().digest, name, _query(asked))
        shown = self._context.shown
        return self._boards.get(key, lambda: shown.past(self._poller(name), self._context.past(name), asked))

    def parts(self, name: str, asked: Asked, view: View, root: str) -> Mapping[str, Markup]:
        """Return the form and the days that were asked for, as HTML. Raises `AskedError`."""
        key = (self._context.config().digest, name, _query(asked), urlencode(view.query))

        def make() -> Mapping[str, Markup]:
            values = self._values(name, asked, view, root)
            rendered = {part: self._render(f"_{part}", values) for part in _PARTS}
            # Our own templates, which escape all texts.
            return {part: Markup(html) for part, html in rendered.items()}  # noqa: S704 # see above

        return self._rendered.get(key, make)

    def last_day(self, name: str) -> LastDay:
        """Return how a poller was in the last 24 hours; what can't be read is no data: the card says why."""

        def make() -> LastDay:
            poller, past = self._poller(name), self._context.past(name)
            today = day_of(past.now, past.zone)
            asked = Asked.read(today=today, back="24h", default_days=poller.default_days)
            try:
                states = self._context.shown.states(poller, past, asked)
            except (BugError, RecordsError):
                states = None
            timeline = states.timeline if states else Timeline(())
            return LastDay(timeline=timeline, share=well_share(timeline))

        return self._last_days.get((self._context.config().digest, name), make)

    def _values(self, name: str, asked: Asked, view: View, root: str) -> Mapping[str, Any]:
        board, poller = self._board_or_why(name, asked), self._poller(name)
        today, subject = day_of(self._context.now(), view.zone), asked.value(poller.subject_option())
        return {
            **self._incidents(name, asked, subject),
            "here": name,
            "root": root,
            "view": view,
            "asked": asked,
            "past": board,
            "today": today,
            "ways": get_args(By),
            "ranges": [*ranges(view, asked, board, today, is_subject=bool(subject))],
            "choices": choices(poller.options(), board, asked),
            "file": f"{root}poller/{name}/report.csv?{_query(asked)}",
        }

    def _board_or_why(self, name: str, asked: Asked) -> Board:
        try:
            return self.board(name, asked)
        except RecordsError as error:
            return Board(troubles=(unreadable(error.text),))
        except BugError as error:
            return Board(troubles=(_not_shown(error),))

    def _incidents(self, name: str, asked: Asked, subject: str) -> Mapping[str, Any]:
        """Return the last incidents up to the days that were asked for, or why there are none."""
        past, nothing = self._context.past(name), no_incident(asked.last, subject)
        try:
            views = self._context.shown.last_incidents(
                self._poller(name), past, asked, self._context.config()
            )
        except BugError as error:
            views, nothing = (), _not_shown(error)
        return {"incidents": lines_of(views, self._context, past.zone), "no_incident": nothing}

    def _poller(self, name: str) -> Poller:
        return self._context.config().settings.pollers[name]


def _not_shown(error: BugError) -> str:
    return tr("This can't be shown: {reason}", reason=translated(error.text))


def _query(asked: Asked) -> str:
    days = {"range": asked.range} if asked.range else {"from": f"{asked.first}", "to": f"{asked.last}"}
    found = {**days, "by": asked.by or "", **asked.options}
    return urlencode({name: value for name, value in found.items() if value})
