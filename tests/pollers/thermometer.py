"""A kind of poller, whole: reads a temperature from a JSON URL, and warns while it is above a limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from tallyd.contract.http import Request
from tallyd.contract.job import Job
from tallyd.contract.poller import Found, Poller
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.errors import SourceError
from tallyd.core.json_reply import Unreadable, parse
from tallyd.core.language.formats import number_text
from tallyd.core.reading import Json, Reading, Slot
from tallyd.core.schedule.timetable import Every
from tallyd.settings.types import Duration, Seconds
from tallyd.settings.urls import Url

TOO_HOT = AlertKind(
    key="<poller>/temperature/too-hot",
    severity="warning",
    text="{poller}: {degrees} °C, above {limit} °C",
    over="{poller}: not above {limit} °C any more",
    ends="a reading that is not above `limit`",
    short="too hot",
    many="temperatures above their limit",
)


class Thermometer(Poller):
    """Reads a temperature from a JSON URL."""

    kind: Literal["thermometer"] = Field(description="What kind of poller this is.")
    url: Url = Field(description='Address that answers with JSON, such as {"temperature": 21.5}.')
    every: Duration = Field(Seconds(60), description="How often it is read.")
    limit: float = Field(30.0, description="Warn above this temperature, in °C.")

    def jobs(self) -> tuple[Job, ...]:
        """Return the one job, `read`: each whole multiple of `every` is a slot, and has one reading."""
        when, evaluates = Every(self.every, grid=True), frozenset({TOO_HOT.what})
        return (Job(name="read", when=when, evaluates=evaluates, limit_s=300.0, run=self._read),)

    def probe(self, tools: Toolbox) -> tuple[Found, ...]:
        """Ask once."""
        return (Found("temperature", f"{number_text(self._ask(tools))} °C", None),)

    @classmethod
    def alert_kinds(cls) -> tuple[AlertKind, ...]:
        """Return the one kind of problem that a reading may have."""
        return (TOO_HOT,)

    @classmethod
    def starter(cls, secrets: str) -> Mapping[str, Json]:
        """Return a poller to begin with."""
        return {"url": "http://127.0.0.1:8080/temperature", "limit": 30.0}

    def _read(self, slot: Slot, tools: Toolbox) -> tuple[Reading, ...]:
        degrees = tools.retry(lambda: self._ask(tools))
        shown = {"degrees": number_text(degrees), "limit": number_text(self.limit)}
        since, names = slot.stands_for(tools.now()), (tools.poller, "temperature")
        problem = TOO_HOT.problem(*names, since=since, poller=tools.poller, **shown)
        problems = (problem,) if degrees > self.limit else ()
        return (Reading(taken_at=tools.now(), facts={"temperature": degrees}, problems=problems),)

    def _ask(self, tools: Toolbox) -> float:
        reply = tools.http.request(Request(url=self.url)).result()
        try:
            answer = parse(reply.body)
        except Unreadable as error:
            raise SourceError(f"{reply.host} answered HTTP {reply.status} {error}", transient=True) from None
        if isinstance(answer, dict) and isinstance(answer.get("temperature"), int | float):
            return float(answer["temperature"])
        raise SourceError(f"{reply.host} answered without a temperature", transient=True)
