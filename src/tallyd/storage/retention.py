"""Deleting what is older than it is kept for, once an hour, and only while the clock can be trusted.

This is the one place that decides it. Out files, readings, sent reports, rows of the database and files put
aside are all deleted from here, and each is handed the instant that its age is measured from.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial

from tallyd.adapters.clock import Clock
from tallyd.config.jobs import Task
from tallyd.config.model import Config
from tallyd.core.alerts.daemon_alerts import CLOCK
from tallyd.core.naming import instant_text, read_instant
from tallyd.storage.store import Store

log = logging.getLogger("tallyd")

PRUNE_EVERY_S = 3600.0
PRUNE_AGREED_S = 3600.0
"""Nothing is deleted before wall clock and monotonic clock have agreed for so long."""
BELIEVED_AFTER_S = 7 * 86400.0
"""A clock that jumped ahead, or is so far ahead at the start, is believed once it has stood so long."""
NOTED_EVERY_S = 86400.0
_NOTE = "trusted_at"
_DOUBTED = "doubted"
"""Since when starts have had a time that is not trusted yet, and when tallyd ran with it last."""

Safely = Callable[[str, Callable[[], object]], None]
"""Does one part of a tick, and takes in what goes wrong in it (`Daemon._safely`)."""


class Pruning:
    """When it was done last, and what there is to do.

    `also` are those who delete what is theirs, handed the instant that its age is measured from.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        agreed_for_s: Callable[[], float],
        safely: Safely,
        also: Iterable[Callable[[datetime], object]],
    ) -> None:
        self._store, self._clock, self._agreed_for_s = store, clock, agreed_for_s
        self._safely, self._also = safely, tuple(also)
        self._done_s, self._believed_s = clock.monotonic(), clock.since_boot()
        self._believed_at = clock.now()
        self._noted_at: datetime | None = None
        self._is_doubted = False

    def begin(self) -> None:
        """Decide whether the time of the start is believed: not where it is far from when tallyd last ran.

        Unless it has stood for a week, over any number of starts: some machines are off each night.
        Raises `StateError`.
        """
        now, written = self._believed_at, self._store.state.note(_NOTE)
        self._noted_at = read_instant(written) if written else None
        is_far = self._noted_at is not None and _is_week(self._noted_at, now)
        self._is_doubted = is_far and not _is_week(self._doubted_since(now), now)
        if self._noted_at and self._is_doubted:
            self._believed_at = self._noted_at  # it is that late at least
            return
        self._note(now)
        if self._store.state.note(_DOUBTED):
            self._store.state.set_note(_DOUBTED, None)

    def _doubted_since(self, now: datetime) -> datetime:
        """Return since when the wall clock has gone on as it does, and note that it still does."""
        since = now
        if written := self._store.state.note(_DOUBTED):
            first, last = map(read_instant, written.split())
            if last <= now and not _is_week(last, now):
                since = first
        self._store.state.set_note(_DOUBTED, f"{instant_text(since)} {instant_text(now)}")
        return since

    def _note(self, now: datetime) -> None:
        """Note, once a day, a time that is trusted; one noted ahead of it was of a clock that was wrong."""
        age_s = (now - self._noted_at).total_seconds() if self._noted_at else NOTED_EVERY_S
        if abs(age_s) >= NOTED_EVERY_S:
            self._store.state.set_note(_NOTE, instant_text(now))
            self._noted_at = now

    def until_s(self) -> float:
        """Return the seconds until it is time: a config that is taken does not put it off."""
        return max(0.0, self._done_s + PRUNE_EVERY_S - self._clock.monotonic())

    def prune(self, config: Config, tasks: Iterable[Task]) -> None:
        """Prune every poller, those that have left the config as the top of the file has it."""
        self._done_s = self._clock.monotonic()
        now = self._trusted_now()
        if self._is_doubted:
            self._safely("pruning", partial(self._doubted_since, self._clock.now()))
        if now is not None:
            self._safely("pruning", partial(self._prune, config, tasks, now))

    def _trusted_now(self) -> datetime | None:
        """Return the instant that ages are measured from; None: nothing may be deleted now.

        It is never later than the last believed time plus what has passed since by a clock that nobody sets:
        a wall clock that was set ahead makes nothing older, also where no source is there to contradict it.
        The time of a suspend has passed: a machine that sleeps each night keeps nothing longer.
        """
        now, since_boot_s = self._clock.now(), self._clock.since_boot()
        agreed_s = self._agreed_for_s()
        suspect = self._store.alerts.alerts().get(CLOCK.key)
        if agreed_s < PRUNE_AGREED_S or (suspect is not None and suspect.is_open):
            reason = "the clock jumped" if agreed_s < PRUNE_AGREED_S else "a source contradicts the clock"
            log.info("nothing old is deleted", extra={"reason": reason})
            return None
        if agreed_s >= BELIEVED_AFTER_S:
            self._believed_at, self._believed_s, self._is_doubted = now, since_boot_s, False
        return min(now, self._believed_at + timedelta(seconds=since_boot_s - self._believed_s))

    def _prune(self, config: Config, tasks: Iterable[Task], now: datetime) -> None:
        self._note(now)
        left = (config.settings.out.keep_days, config.zone)
        keep = dict.fromkeys(self._store.state.readings.pollers(), left)
        keep |= {task.poller: (task.keep_days, task.zone) for task in tasks}
        for poller, (days, zone) in keep.items():
            if days:
                before = now - timedelta(days=days)
                self._safely("pruning", partial(self._store.files.prune, poller, before=before, zone=zone))
        for prune in self._also:
            self._safely("pruning", partial(prune, now))


def _is_week(begin: datetime, end: datetime) -> bool:
    """Whether `end` is so much later than `begin` that a clock which has stood in between is believed."""
    return (end - begin).total_seconds() >= BELIEVED_AFTER_S
