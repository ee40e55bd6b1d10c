"""What a job of a poller is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tallyd.contract.toolbox import Toolbox
from tallyd.core.reading import Reading, Slot
from tallyd.core.schedule.timetable import At, Every


@dataclass(frozen=True, kw_only=True)
class Job:
    """One thing that a poller does on a timetable.

    `evaluates`: the last key segments (`<what>`) that a reading of this job raises. If a reading does not
    name such a problem, the problem is resolved. `limit_s`: a run that shows no progress for this long is the
    problem `overdue`. `catch_up_s`: how late a slot may be; None if `when` has no slots. `wakes`: events of
    the inbox also start a run. `alerts_on_missed` false: a slot without a reading is recorded and logged, but
    is not a problem on its own.
    """

    name: str
    when: At | Every
    evaluates: frozenset[str]
    limit_s: float
    run: Callable[[Slot, Toolbox], tuple[Reading, ...]]
    catch_up_s: float | None = None
    wakes: bool = False
    alerts_on_missed: bool = True
