"""Retention: deletes old data once an hour, and only while the clock can be trusted.

Only this module decides when. It deletes out files, readings, past incidents, sent reports, database rows,
and finished or rejected inbox files, and gives each of them the instant from which ages are measured.
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
from tallyd.storage.past import poller_of
from tallyd.storage.store import Store

log = logging.getLogger("tallyd")

PRUNE_EVERY_S = 3600.0
PRUNE_AGREED_S = 3600.0
"""Nothing is deleted until the wall clock and the monotonic clock have agreed for this long."""
BELIEVED_AFTER_S = 7 * 86400.0
"""After a jump, or a start far in the future, the clock is trusted after this long without a jump."""
NOTED_EVERY_S = 86400.0
_NOTE = "trusted_at"
_DOUBTED = "doubted"
"""The first and the last time at which tallyd ran with a clock that is not trusted yet."""

Safely = Callable[[str, Callable[[], object]], None]
"""Does one part of a tick and handles its errors (`DaemonHealth.safely`)."""


class Retention:
    """Prunes out files, readings and past incidents. Each of `also` prunes more.

    It gets the instant that ages count from.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        steady_for_s: Callable[[], float],
        safely: Safely,
        also: Iterable[Callable[[datetime], object]],
    ) -> None:
        self._store, self._clock, self._steady_for_s = store, clock, steady_for_s
        self._safely, self._also = safely, tuple(also)
        self._done_s, self._believed_s = clock.monotonic(), clock.since_boot()
        self._believed_at = clock.now()
        self._noted_at: datetime | None = None
        self._is_doubted = False

    def begin(self) -> None:
        """Decide whether to trust the clock at the start.

        If it is a week or more after tallyd last ran, it is not trusted, until tallyd has run with it for a
        week. That may be over any number of starts: some machines are off every night. Raises `StateError`.
        """
        now, written = self._believed_at, self._store.state.note(_NOTE)
        self._noted_at = read_instant(written) if written else None
        is_far = self._noted_at is not None and _is_week(self._noted_at, now)
        self._is_doubted = is_far and not _is_week(self._doubted_since(now), now)
        if self._noted_at and self._is_doubted:
            self._believed_at = self._noted_at  # the true time is at least this
            return
        self._note(now)
        if self._store.state.note(_DOUBTED):
            self._store.state.set_note(_DOUBTED, None)

    def _doubted_since(self, now: datetime) -> datetime:
        """Return since when tallyd has run with the untrusted clock, and note that it still does."""
        since = now
        if written := self._store.state.note(_DOUBTED):
            first, last = map(read_instant, written.split())
            if last <= now and not _is_week(last, now):
                since = first
        self._store.state.set_note(_DOUBTED, f"{instant_text(since)} {instant_text(now)}")
        return since

    def _note(self, now: datetime) -> None:
        """Note a trusted time, once a day. It also replaces a noted time in the future, which was wrong."""
        age_s = (now - self._noted_at).total_seconds() if self._noted_at else NOTED_EVERY_S
        if abs(age_s) >= NOTED_EVERY_S:
            self._store.state.set_note(_NOTE, instant_text(now))
            self._noted_at = now

    def until_s(self) -> float:
        """Return the seconds until the next pruning. A config change does not delay it."""
        return max(0.0, self._done_s + PRUNE_EVERY_S - self._clock.monotonic())

    def prune(self, config: Config, tasks: Iterable[Task]) -> None:
        """Prune every poller. For one that left the config, the top of the file counts, or else its kind."""
        self._done_s = self._clock.monotonic()
        now = self._trusted_now()
        if self._is_doubted:
            self._safely("pruning", partial(self._doubted_since, self._clock.now()))
        if now is not None:
            self._safely("pruning", partial(self._prune, config, tasks, now))

    def _trusted_now(self) -> datetime | None:
        """Return the instant from which ages are measured; None: delete nothing now.

        It is at most the last trusted time plus the time since then by the boot clock, which nobody can set.
        So data does not become older if somebody sets the wall clock ahead, even without a source that
        contradicts it. The boot clock includes suspends: a machine that sleeps every night keeps nothing
        longer.
        """
        now, since_boot_s = self._clock.now(), self._clock.since_boot()
        agreed_s = self._steady_for_s()
        suspect = self._store.alerts.alerts().get(CLOCK.key)
        if agreed_s < PRUNE_AGREED_S or (suspect is not None and suspect.is_open):
            reason = "the clock jumped" if agreed_s < PRUNE_AGREED_S else "a source contradicts the clock"
            log.info("old data is kept for now", extra={"reason": reason})
            return None
        if agreed_s >= BELIEVED_AFTER_S:
            self._believed_at, self._believed_s, self._is_doubted = now, since_boot_s, False
        return min(now, self._believed_at + timedelta(seconds=since_boot_s - self._believed_s))

    def _prune(self, config: Config, tasks: Iterable[Task], now: datetime) -> None:
        self._note(now)
        keep = {task.poller: (task.keep_days, task.zone) for task in tasks}
        left = {*self._store.state.readings.pollers()} - keep.keys()
        keep |= {poller: (self._left_keep_days(poller, config, now), config.zone) for poller in left}
        for poller, (days, zone) in keep.items():
            if days:
                before = now - timedelta(days=days)
                self._safely("pruning", partial(self._store.files.prune, poller, before=before, zone=zone))
        if days := config.settings.state.keep_days:
            before, state = now - timedelta(days=days), self._store.state
            # The uptime first: time that is known, but without its incidents, would read as all well.
            self._safely("pruning", partial(state.uptime.prune, before))
            self._safely("pruning", partial(state.incidents.prune, before))
        for prune in self._also:
            self._safely("pruning", partial(prune, now))

    def _left_keep_days(self, poller: str, config: Config, now: datetime) -> int | None:
        """Return the `keep_days` of a poller that left the config."""
        out = config.settings.out
        if "keep_days" in out.model_fields_set:
            return out.keep_days
        former = poller_of(poller, config, self._store.state, now=now)
        return former.default_keep_days() if former else None


def _is_week(begin: datetime, end: datetime) -> bool:
    """Whether `end` is BELIEVED_AFTER_S or more after `begin`."""
    return (end - begin).total_seconds() >= BELIEVED_AFTER_S
