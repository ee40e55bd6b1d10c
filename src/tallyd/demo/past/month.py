"""What happened in the four weeks before the demo began. Pure: from now and a zone to instants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tallyd.demo.world.servers import STALE_AFTER_S

DAYS = 28


@dataclass(frozen=True)
class Span:
    """A time from `begin` until before `end`, both in UTC."""

    begin: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies in it."""
        return self.begin <= at < self.end

    def shared_s(self, begin: datetime, end: datetime) -> float:
        """Return how many seconds it shares with another span."""
        return max(0.0, (min(self.end, end) - max(self.begin, begin)).total_seconds())


@dataclass(frozen=True)
class Month:
    """The time from the midnight `DAYS` days ago until `now`, and what went wrong in it.

    Everything was over two days ago, so that nothing depends on the time of day at which the demo starts.
    """

    now: datetime
    zone: ZoneInfo

    def at(self, days_ago: int, clock: str) -> datetime:
        """Return a local time of a day before today."""
        day = self.now.astimezone(self.zone).date() - timedelta(days=days_ago)
        return datetime.combine(day, time.fromisoformat(clock), self.zone).astimezone(UTC)

    @property
    def begin(self) -> datetime:
        return self.at(DAYS, "00:00")

    @property
    def divera_is_down(self) -> Span:
        """Divera answered nobody for an afternoon."""
        return Span(self.at(17, "13:40"), self.at(17, "16:20"))

    @property
    def tallyd_is_off(self) -> Span:
        """The machine was off for a night."""
        return Span(self.at(9, "22:47"), self.at(8, "06:31"))

    @property
    def camera_is_silent(self) -> Span:
        """The quiet host delivered nothing for an afternoon."""
        return Span(self.at(5, "13:12"), self.at(5, "16:48"))

    @property
    def stage_stands_still(self) -> Span:
        """The data of STAGE was not computed for a night."""
        return Span(self.at(3, "01:16"), self.at(3, "05:42"))

    @property
    def stage_is_stale(self) -> Span:
        """From when on that data was too old."""
        still = self.stage_stands_still
        return Span(still.begin + timedelta(seconds=STALE_AFTER_S), still.end)

    @property
    def batch_is_unreachable(self) -> Span:
        """BATCH refused connections for a while."""
        return Span(self.at(12, "10:04"), self.at(12, "10:51"))

    @property
    def alarms(self) -> tuple[Span, ...]:
        """When most people who were ready were out."""
        began = ((25, "19:00"), (14, "03:00"), (6, "11:00"), (2, "20:00"))
        return tuple(Span(begin, begin + timedelta(hours=1)) for begin in (self.at(*each) for each in began))
