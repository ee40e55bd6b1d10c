"""A connection with limits: how many there are, how long a request and its answer may take."""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS: Final = 100
"""One more replaces the one that has been silent for longest, so that a client that asks gets in."""
HEAD_S: Final = 10.0
"""How long a request may take after the connection was opened, or after the answer before it."""
ANSWER_S: Final = 120.0
"""How long making and reading an answer may take."""
STALLED_S: Final = 15.0
"""A client that reads nothing for this long is gone, or never wanted to read."""
GRACE_S: Final = 0.5
"""For this long after a connection was opened, it need not have asked."""
LOOK_EVERY_S: Final = 1.0


class Guarded(H11Protocol):
    """A connection of uvicorn with limits. uvicorn has none for a client that does not ask or read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._phase: tuple[object, ...] = ()
        self._phase_s = self._moved_s = self.loop.time()
        self._is_cut_off = False
        self._watch: asyncio.TimerHandle | None = self.loop.call_later(LOOK_EVERY_S, self._look)
        self._make_room()

    def _make_room(self) -> None:
        """If there are too many, cut off the one that has been silent for longest.

        If all are young, cut off the newest: an onrush then hurts itself, not those who are about to ask.
        """
        others = [each for each in self.connections if isinstance(each, Guarded) and each is not self]
        held = [each for each in others if not each._is_cut_off]
        if len(held) < MOST_CONNECTIONS:
            return
        silent = sorted((each for each in held if not each._is_answering), key=lambda each: each._phase_s)
        if not silent:
            self._cut_off()
        elif silent[0]._phase_s <= self.loop.time() - GRACE_S:
            silent[0]._cut_off()
        else:
            silent[-1]._cut_off()

    def _cut_off(self) -> None:
        self._is_cut_off = True
        self.transport.abort()

    @property
    def _is_answering(self) -> bool:
        is_asked = self.cycle is not None and not self.cycle.response_complete
        return is_asked or self.transport.get_write_buffer_size() > 0

    def connection_lost(self, exc: Exception | None) -> None:
        watch = getattr(self, "_watch", None)
        if watch is not None:
            watch.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """Note that the client has read some of the answer."""
        self._moved_s = self.loop.time()
        super().resume_writing()

    def _look(self) -> None:
        now_s = self.loop.time()
        is_answering, unread = self._is_answering, self.transport.get_write_buffer_size()
        phase = (id(self.cycle), is_answering)
        if phase != self._phase:
            self._phase, self._phase_s = phase, now_s
        if unread == 0:
            self._moved_s = now_s
        limit_s = ANSWER_S if is_answering else HEAD_S
        if now_s - self._phase_s > limit_s or now_s - self._moved_s > STALLED_S:
            self._cut_off()
            return
        self._watch = self.loop.call_later(LOOK_EVERY_S, self._look)
