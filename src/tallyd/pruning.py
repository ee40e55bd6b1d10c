"""Deleting what is older than `keep_days`, once an hour, and only while the clock can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial

from tallyd.agenda import Agenda, Clock
from tallyd.books import Books
from tallyd.config import Config
from tallyd.tasks import Task

PRUNE_EVERY_S = 3600.0
PRUNE_AGREED_S = 3600.0
"""Old files are deleted only once wall and monotonic clock have agreed for so long."""

Safely = Callable[[str, Callable[[], object]], None]
"""Does one part of a tick, and takes in what goes wrong in it (`Daemon._safely`)."""


class Pruning:
    """When it was done last, and what there is to do. `also` are those who delete what is theirs."""

    def __init__(
        self, books: Books, clock: Clock, agenda: Agenda, safely: Safely, also: Iterable[Callable[[], object]]
    ) -> None:
        self._books, self._clock, self._agenda = books, clock, agenda
        self._safely, self._also = safely, tuple(also)
        self._done_s = clock.monotonic()

    def until_s(self) -> float:
        """Return the seconds until it is time: a config that is taken does not put it off."""
        return max(0.0, self._done_s + PRUNE_EVERY_S - self._clock.monotonic())

    def prune(self, config: Config, tasks: Iterable[Task]) -> None:
        """Prune every poller, those that have left the config as the top of the file has it."""
        self._done_s = self._clock.monotonic()
        if self._agenda.agreed_for_s() >= PRUNE_AGREED_S:
            self._safely("pruning", partial(self._prune, config, tasks))

    def _prune(self, config: Config, tasks: Iterable[Task]) -> None:
        left = (config.settings.out.keep_days, config.zone)
        keep = dict.fromkeys(self._books.state.readings.pollers(), left)
        keep |= {task.poller: (task.keep_days, task.zone) for task in tasks}
        for poller, (days, zone) in keep.items():
            if days:
                before = self._clock.now() - timedelta(days=days)
                self._safely("pruning", partial(self._books.files.prune, poller, before=before, zone=zone))
        for prune in self._also:
            self._safely("pruning", prune)
