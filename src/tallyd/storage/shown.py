"""What a kind shows of a poller. A bug of one kind must not hide the other pollers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from tallyd.adapters.state import StateError
from tallyd.config.model import Config
from tallyd.contract.board import Asked, AskedError, Past
from tallyd.contract.poller import Poller
from tallyd.core.alerts.incident_view import IncidentView
from tallyd.core.errors import ExplainedError, RecordsError
from tallyd.core.language.formats import day_text
from tallyd.core.language.messages import tr
from tallyd.core.metric import Metric
from tallyd.core.naming import key_segments
from tallyd.core.panels import Board, StateTimeline, Table, main_tables, unreadable
from tallyd.core.schedule.days import day_of
from tallyd.core.stored import LastReading
from tallyd.storage.incidents import LAST_DAYS, MOST_LAST, incidents_of

log = logging.getLogger("tallyd")


def _imported(past: Past, asked: Asked) -> Iterator[str]:
    """Yield the sentence that numbers of these days are of an older program. Raises `RecordsError`."""
    found = past.records.imported()
    since, until = asked.span(past.zone)
    if found is not None and found.since < until and since < found.until:
        border = day_text(day_of(found.until, past.zone))
        yield tr("Before {day}: imported from {program}.", day=border, program=found.program)


class BugError(ExplainedError):
    """A kind of poller has a bug in what it shows."""


class Shown:
    """Asks kinds for what they show. A bug is logged once, and shows in that poller alone.

    Any number of threads. Every method but `view` raises `StateError`.
    """

    def __init__(self) -> None:
        self._logged: set[tuple[str, str]] = set()

    def last(self, poller: Poller, past: Past) -> LastReading | None:
        """Return when its source was last read; where the kind has a bug, when a reading was taken."""
        try:
            return poller.last(past)
        except StateError:
            raise
        except Exception as error:
            self._bug(past.poller, error)
            return past.last_taken()

    def now(self, poller: Poller, past: Past, subject: str = "", group: str = "") -> Board:
        """Return how things are now, or how one subject or a group is.

        What can't be shown is a trouble of the board.
        """
        try:
            if subject:
                return poller.subject_board(past, subject)
            return poller.group_board(past, group) if group else poller.now_board(past)
        except StateError:
            raise
        except RecordsError as error:
            return Board(troubles=(unreadable(error.text),))
        except Exception as error:
            why = self._bug(past.poller, error)
            return Board(troubles=(tr("This can't be shown: {why}", why=why),))

    def past(self, poller: Poller, past: Past, asked: Asked) -> Board:
        """Return the days that were asked for, with how it was then; of days until now, with its shares.

        Raises `AskedError`, `RecordsError`, `BugError`.
        """
        with self._guarded(past.poller):
            board, states = _with_table(poller.past_board(past, asked)), poller.states(past, asked)
            is_until_now = past.now < asked.span(past.zone)[1]
            # The board of a subject has its shares. A board that says itself how it was needs none.
            has_shares = states is not None and is_until_now and not asked.value(poller.subject_option())
            shares = (poller.shares(past, ""),) if has_shares else ()
            return replace(
                board,
                notes=(*board.notes, *(_imported(past, asked) if poller.needs_records else ())),
                details=(*([states] if states else ()), *board.details, *shares),
            )

    def incidents(self, poller: Poller, past: Past, asked: Asked, config: Config) -> tuple[IncidentView, ...]:
        """Return the incidents of the days that were asked for. Raises `BugError`."""
        with self._guarded(past.poller):
            return incidents_of(poller, past, asked, config, since=asked.span(past.zone)[0])

    def last_incidents(
        self, poller: Poller, past: Past, asked: Asked, config: Config
    ) -> tuple[IncidentView, ...]:
        """Return the last incidents up to the days that were asked for. Raises `BugError`."""
        since = asked.span(past.zone)[1] - timedelta(days=LAST_DAYS)
        with self._guarded(past.poller):
            return incidents_of(poller, past, asked, config, since=since, most=MOST_LAST)

    def states(self, poller: Poller, past: Past, asked: Asked) -> StateTimeline | None:
        """Return how it was over time. Raises `RecordsError`, `BugError`."""
        with self._guarded(past.poller):
            return poller.states(past, asked)

    def shares(self, poller: Poller, past: Past, subject: str) -> Table:
        """Return for what share of the time a subject, or the poller, was well.

        Raises `RecordsError`, `BugError`.
        """
        with self._guarded(past.poller):
            return poller.shares(past, subject)

    def metrics(self, poller: Poller, past: Past) -> Iterator[Metric]:
        """Yield its metrics, with numbers that can be written. Raises `RecordsError`, `BugError`."""
        with self._guarded(past.poller):
            for metric in poller.metrics(past):
                metric.samples[:] = [(labels, float(number)) for labels, number in metric.samples]
                yield metric

    def view(self, config: Config, key: str) -> Mapping[str, str] | None:
        """Return the query of the view that shows a problem; empty: that of its poller; None: none does."""
        name, *between, what = key_segments(key)
        poller = config.settings.pollers.get(name)
        if poller is None:
            return None
        try:
            return poller.view("/".join(between), what) if between else {}
        except Exception as error:
            self._bug(name, error)
            return {}

    @contextmanager
    def _guarded(self, poller: str) -> Iterator[None]:
        """Raise `BugError` for what a kind may not raise."""
        try:
            yield
        except (StateError, RecordsError, AskedError):
            raise
        except Exception as error:
            raise BugError(self._bug(poller, error)) from error

    def _bug(self, poller: str, error: Exception) -> str:
        """Log a bug, if it is a new one; return it for people."""
        kind = type(error).__name__
        if (poller, kind) not in self._logged:  # a page asks every few seconds; once in the log is enough
            self._logged.add((poller, kind))
            log.error("showing a poller crashed", extra={"poller": poller}, exc_info=error)
        return tr(
            "tallyd itself failed ({error}). All else continues."
            " Please report it, with the logged traceback.",
            error=kind,
        )


def _with_table(board: Board) -> Board:
    """Return the board of a past. Its first table is what a terminal and CSV show."""
    if not main_tables(board.panels):
        raise ValueError("the board of a past has no table")
    return board
