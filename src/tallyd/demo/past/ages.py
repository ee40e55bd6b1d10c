"""How old the data of the servers was in the past: what a check found, and what the checks of an hour did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Final

from tallyd.contract.lags import HourCount, Hours, hour_of
from tallyd.contract.poller import Poller
from tallyd.demo.past.month import Month
from tallyd.demo.world.crowd import SEED
from tallyd.demo.world.http_server import HOST
from tallyd.demo.world.servers import STEP_S
from tallyd.pollers.servers.freshness import CheckResult, check_result_of
from tallyd.pollers.servers.settings import ServersSettings

WRITE_EVERY_S: Final = 6 * 3600
_HOUR: Final = timedelta(hours=1)
_SERVED_AFTER_S = 0.4
_STAGE, _BATCH = "STAGE", "BATCH"


class Ages:
    """The checks of the past by the settings of the demo's servers poller."""

    def __init__(self, settings: Poller, month: Month) -> None:
        if not isinstance(settings, ServersSettings):
            raise TypeError("the demo's poller of this name watches servers")
        self.settings = settings
        self._month = month

    def instants(self) -> list[datetime]:
        """Return when an out file was written: regularly, and at each change of a state."""
        month, every = self._month, timedelta(seconds=WRITE_EVERY_S)
        off = month.tallyd_is_off
        found = {month.begin, off.end}
        for span in (month.stage_is_stale, month.batch_is_unreachable):
            found |= {span.begin, span.end}
        first = month.begin.timestamp() // WRITE_EVERY_S + 1
        at = month.begin + timedelta(seconds=first * WRITE_EVERY_S - month.begin.timestamp())
        while at < month.now:
            found.add(at)
            at += every
        return sorted(at for at in found if not off.holds(at))

    def results(self, at: datetime) -> Mapping[str, CheckResult]:
        """Return what a round of checks found, by target."""
        return {target.name: self._result(target.name, at) for target in self.settings.checked}

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

    def _result(self, name: str, at: datetime) -> CheckResult:
        month = self._month
        if name == _BATCH and month.batch_is_unreachable.holds(at):
            return CheckResult(at=at, state="unreachable", reason=f"{HOST}: connection refused")
        still = month.stage_stands_still
        served_s = (still.begin if name == _STAGE and still.holds(at) else at).timestamp() - _SERVED_AFTER_S
        return check_result_of(
            datetime.fromtimestamp(served_s // STEP_S * STEP_S, at.tzinfo),
            now=at,
            skew_s=0.0,
            limits=next(each.limits for each in self.settings.checked if each.name == name),
            answered="200, 12 ms",
        )

    def _hour(self, name: str, begin: datetime, end: datetime) -> HourCount:
        """Return the checks from `begin` to `end`, which lie in one hour."""
        month = self._month
        on_s = (end - begin).total_seconds() - month.tallyd_is_off.shared_s(begin, end)
        checks = int(on_s / self.settings.every)
        chance = Random(f"{SEED}/ages/{name}/{hour_of(begin)}")  # noqa: S311 # not for secrets
        lag_s = round(STEP_S * chance.uniform(0.8, 1.3), 3)
        stale, lost = month.stage_is_stale, month.batch_is_unreachable
        if name == _STAGE and (stale_s := stale.shared_s(begin, end)):
            lag_s = (min(end, stale.end) - month.stage_stands_still.begin).total_seconds()
            return HourCount(checks, lag_s, fresh_s=on_s - stale_s, stale_s=stale_s)
        if name == _BATCH and (lost_s := lost.shared_s(begin, end)):
            return HourCount(
                checks, lag_s if lost_s < on_s else None, fresh_s=on_s - lost_s, unreachable_s=lost_s
            )
        return HourCount(checks, lag_s, fresh_s=on_s)
