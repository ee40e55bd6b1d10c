"""How old the data of the servers was in the past: what a check found, and what the checks of an hour did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from tallyd.contract.lags import HourCount, Hours, LagRow, hour_of
from tallyd.contract.poller import Poller
from tallyd.core.schedule.due_times import near
from tallyd.demo.past.month import Month, Span
from tallyd.demo.world.chance import drawn_for
from tallyd.demo.world.http_server import HOST
from tallyd.demo.world.servers import STEP_S, ran_at
from tallyd.pollers.servers.freshness import CheckResult, Known, check_result_of, follow
from tallyd.pollers.servers.rounds.out_facts import lag_row
from tallyd.pollers.servers.settings import ServersSettings
from tallyd.pollers.servers.targets.target import Target

WRITE_EVERY_S: Final = 6 * 3600
_HOUR: Final = timedelta(hours=1)
_QUARTER: Final = timedelta(minutes=15)
_DAY: Final = timedelta(days=1)
_SERVED_AFTER_S = 0.4
_STAGE, _BATCH, _NIGHTLY = "STAGE", "BATCH", "NIGHTLY"
_NIGHTLY_RAN_AFTER = timedelta(hours=3, minutes=20)


class Ages:
    """The checks of the past by the settings of the demo's servers poller."""

    def __init__(self, settings: Poller, month: Month) -> None:
        if not isinstance(settings, ServersSettings):
            raise TypeError("the demo's poller of this name watches servers")
        self.settings = settings
        self._month = month
        nightly = next(target for target in settings.checked if target.name == _NIGHTLY)
        due = near(nightly.due, month.at(3, "12:00"), month.zone)
        if due.last is None or due.before is None:
            raise ValueError("the demo's calendar has open days")
        # The job did not run between these two due times. Somebody started it in the morning.
        self.nightly_is_stale = Span(due.last, due.last + _NIGHTLY_RAN_AFTER)
        self._nightly_stands_still = Span(due.before, self.nightly_is_stale.end)

    def instants(self) -> list[datetime]:
        """Return when an out file was written: regularly, and at each change of a state."""
        month, every = self._month, timedelta(seconds=WRITE_EVERY_S)
        off = month.tallyd_is_off
        found = {month.begin, off.end}
        for span in (month.stage_is_stale, month.batch_is_unreachable, self.nightly_is_stale):
            found |= {span.begin, span.end}
        first = month.begin.timestamp() // WRITE_EVERY_S + 1
        at = month.begin + timedelta(seconds=first * WRITE_EVERY_S - month.begin.timestamp())
        while at < month.now:
            found.add(at)
            at += every
        return sorted(at for at in found if not off.holds(at))

    def results(self, at: datetime) -> Mapping[str, CheckResult]:
        """Return what a round of checks found, by target."""
        return {target.name: self._result(target, at) for target in self.settings.checked}

    def hours(self) -> Hours:
        """Return the checks of every hour by (hour, target)."""
        found: dict[tuple[str, str], HourCount] = {}
        at = self._month.begin
        while at < self._month.now:
            end = min(at + _HOUR, self._month.now)
            for target in self.settings.checked:
                if (count := self._hour(target.name, at, end)).checks:
                    found[hour_of(at), target.name] = count
            at += _HOUR
        return found

    def changes(self) -> tuple[LagRow, ...]:
        """Return the checks at which a state changed, and those of each quarter of an hour on these days.

        A day with a change has the lags of its checks, too: charts of a day show them.
        """
        month = self._month
        spans = (month.tallyd_is_off, month.stage_is_stale, month.batch_is_unreachable)
        quarters = {
            span.begin.replace(minute=0, second=0, microsecond=0) + number * _QUARTER
            for span in spans
            for number in range(-_DAY // _QUARTER, (span.end - span.begin + _DAY) // _QUARTER)
        }
        known: dict[str, Known] = {}
        rows = []
        for at in sorted({*self.instants(), *quarters}):
            if month.tallyd_is_off.holds(at) or not month.begin <= at < month.now:
                continue
            for name, result in self.results(at).items():
                step = follow(known.get(name), result)
                known[name] = step.known
                if step.is_change or (step.is_new and at in quarters):
                    rows.append(lag_row(name, step))
        return tuple(rows)

    def _result(self, target: Target, at: datetime) -> CheckResult:
        month = self._month
        if target.name == _BATCH and month.batch_is_unreachable.holds(at):
            return CheckResult(at=at, state="unreachable", reason=f"{HOST}: connection refused")
        return check_result_of(
            self._computed_at(target.name, at),
            now=at,
            skew_s=0.0,
            limits=target.limits_at(at, month.zone),
            answered="200, 12 ms",
        )

    def _computed_at(self, name: str, at: datetime) -> datetime:
        if name == _NIGHTLY:
            still = self._nightly_stands_still
            return ran_at(still.begin if still.holds(at) else at)
        still = self._month.stage_stands_still
        served_s = (still.begin if name == _STAGE and still.holds(at) else at).timestamp() - _SERVED_AFTER_S
        return datetime.fromtimestamp(served_s // STEP_S * STEP_S, at.tzinfo)

    def _hour(self, name: str, begin: datetime, end: datetime) -> HourCount:
        """Return the checks from `begin` to `end`, which lie in one hour."""
        month = self._month
        on_s = (end - begin).total_seconds() - month.tallyd_is_off.shared_s(begin, end)
        checks = int(on_s / self.settings.every)
        chance = drawn_for("ages", name, hour_of(begin))
        lag_s = round(STEP_S * chance.uniform(0.8, 1.3), 3)
        stale, lost = month.stage_is_stale, month.batch_is_unreachable
        if name == _STAGE and (stale_s := stale.shared_s(begin, end)):
            lag_s = (min(end, stale.end) - month.stage_stands_still.begin).total_seconds()
            return HourCount(checks, lag_s, fresh_s=on_s - stale_s, stale_s=stale_s)
        if name == _BATCH and (lost_s := lost.shared_s(begin, end)):
            return HourCount(
                checks, lag_s if lost_s < on_s else None, fresh_s=on_s - lost_s, unreachable_s=lost_s
            )
        if name == _NIGHTLY:
            stale_s = self.nightly_is_stale.shared_s(begin, end)
            lag_s = (end - self._computed_at(name, end)).total_seconds()
            return HourCount(checks, lag_s, fresh_s=on_s - stale_s, stale_s=stale_s)
        return HourCount(checks, lag_s, fresh_s=on_s)
