"""Asking: from a target to the times that its source says. It may happen in another process.

What comes in and what goes out are values (`Ask`, `Found`). What the times mean is judged in the daemon, as
it knows what was before: `check.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Any, Literal

from tallyd.contract.workers import SecretMissing, WorkTools
from tallyd.core.errors import SourceError, Stopped
from tallyd.core.json_reply import Unreadable
from tallyd.pollers.servers.computed_time import UnreadableTimeError, has_offset, read_time
from tallyd.pollers.servers.freshness import taken_off
from tallyd.pollers.servers.rounds.worker_pool import Pace, checked
from tallyd.pollers.servers.sources.items import Each, Items
from tallyd.pollers.servers.sources.source import Answer, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What to ask of one target.

    `zone` is for times without one; `is_guessed`: the target itself has none. `stale_at`: the times at which
    data is known to be stale (see `read_time`), by the name of the item; without items, by "".
    """

    name: str
    source: Source[Any]
    each: Each | None
    form: str
    zone: tzinfo
    is_guessed: bool
    timeout_s: float
    stale_at: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dated:
    """A time that an answer says. None: it can't be read, and `flaw` is the whole reason.

    `guessed_zone` is the assumed zone of a time without a zone, if the config sets none.
    """

    computed_at: datetime | None
    flaw: str = ""
    guessed_zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found out about one target, at `at`.

    `times` are those of its items by name; without items, its own time by "". `fault` is what is wrong with
    the list of items. `failure`: why there is no answer, or none that can be used; `state` is then that of
    the target, and without an answer `status` that of HTTP. `refusal`: why it could not be asked at all, so
    that nothing is known.
    """

    name: str
    at: datetime
    answer: Answer | None = None
    times: Mapping[str, Dated] = field(default_factory=dict)
    fault: str = ""
    failure: str = ""
    state: Literal["unreachable", "invalid"] = "invalid"
    status: str = ""
    refusal: str = ""

    def by_our_clock(self, ahead_s: float) -> Found:
        """Return it as found by a clock that is so many seconds behind the one that was used."""
        if not ahead_s:
            return self
        ahead, answer = timedelta(seconds=ahead_s), self.answer
        if answer is not None:
            skew_s = None if answer.skew_s is None else answer.skew_s - ahead_s
            answer = replace(answer, at=answer.at - ahead, skew_s=skew_s)
        return replace(self, at=self.at - ahead, answer=answer)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Targets that one worker asks."""

    asks: Sequence[Ask]
    pace: Pace


def ask_chunk(chunk: Chunk, tools: WorkTools) -> tuple[Found, ...]:
    """Ask the targets of a chunk, those for which there is time. Raises `Stopped`."""

    def look() -> None:
        if tools.stop():
            raise Stopped

    return tuple(ask_each(chunk, tools, look=look))


def ask_each(chunk: Chunk, tools: WorkTools, *, look: Callable[[], None]) -> Iterator[Found]:
    """Ask the targets of a chunk, and yield what is found in the order in which it comes.

    `look` is called often; what it raises ends the chunk. Raises `Stopped`.
    """
    begin = partial(_begin, tools=tools)
    for ask, asked in checked(chunk.asks, begin, chunk.pace, look=look, monotonic=tools.monotonic):
        yield _found(ask, asked, now=tools.now())


def _begin(ask: Ask, tools: WorkTools) -> Future[Any]:
    try:
        return ask.source.begin(tools, ask.timeout_s)
    except SecretMissing as missing:
        refused: Future[Any] = Future()
        refused.set_exception(missing)
        return refused


def _found(ask: Ask, asked: Future[Any], *, now: datetime) -> Found:
    """Return what came of asking. Raises `Stopped`. Everything that the target does is a finding."""
    failure = asked.exception()  # not raised: this frame, which has the future, would be in its traceback
    if isinstance(failure, SecretMissing):
        return Found(name=ask.name, at=now, refusal=str(failure))
    if isinstance(failure, SourceError):
        # With a 2xx status, the body is unusable.
        is_answered = failure.status is not None and 200 <= failure.status < 300
        return Found(
            name=ask.name,
            at=now,
            state="invalid" if is_answered else "unreachable",
            failure=failure.text,
            status=str(failure.status or ""),
        )
    reply = asked.result()
    answer = ask.source.answer(reply)
    try:
        items = ask.each.items_of(reply) if ask.each else Items({"": ask.source.value(reply)})
    except Unreadable as error:
        return Found(name=ask.name, at=answer.at, answer=answer, failure=answer.unusable(str(error)))
    times = {name: _dated(ask, answer, name, value) for name, value in items.times.items()}
    return Found(name=ask.name, at=answer.at, answer=answer, times=times, fault=items.fault)


def _dated(ask: Ask, answer: Answer, name: str, value: object) -> Dated:
    """Return the time that an answer says of one item, as of the moment when it was given."""
    if isinstance(value, Unreadable):
        return Dated(None, answer.unusable(str(value)))
    by_server = answer.at - timedelta(seconds=taken_off(answer.skew_s))
    try:
        computed_at = read_time(
            value, ask.form, zone=ask.zone, now=by_server, stale_at=ask.stale_at.get(name)
        )
        is_guessed = ask.is_guessed and not has_offset(value, ask.form)
    except UnreadableTimeError as error:
        return Dated(None, answer.misdated(ask.source.named, str(error)))
    return Dated(computed_at, guessed_zone=str(ask.zone) if is_guessed else "")
