"""One way to each upstream: whoever posts a report does it here, and notes what came of it.

A process that dies between a POST and the note of its answer posts again, which is harmless: a report holds
the sums of a day.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from tallyd.adapters.locks import FileLock, LockedError
from tallyd.adapters.state import StateError
from tallyd.config.jobs import Task
from tallyd.contract.poller import Accepted, Delivers, Refused
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError, Stopped
from tallyd.core.outbox import Outcome, Outcomes
from tallyd.core.reading import OutboxMessage
from tallyd.core.stored import OutboxRow
from tallyd.retry import Policy
from tallyd.storage.store import Store

log = logging.getLogger("tallyd")

AT_ONCE_S = 20.0
"""What the readings of one run send is tried for so long in all, right after the commit."""
ONE_S = 20.0
"""So long one try of the worker may take."""
MOST_ASKED_S = 3600.0
"""An upstream that asks for time (`Retry-After`) is left alone, but no longer than this: the day's reports
must get there, and more is mostly a mistake."""
MOST_SILENT = 2
"""An upstream that did not answer so often in a row is left alone until the next pass."""


@dataclass
class _Line:
    """The way to the upstream of one poller, while the process lives.

    `busy` is held by whoever posts. The next pass begins no sooner than `not_before_s` (monotonic), and where
    the upstream has asked for time, no report at all is tried before `asked_s`, to people `asked_at`.
    """

    busy: threading.Lock = field(default_factory=threading.Lock)
    failures: int = 0
    not_before_s: float = 0.0
    asked_s: float = 0.0
    asked_at: datetime | None = None


class Relay:
    """Posts what waits, of one poller never two at a time; `once` in another process is kept apart by a lock.

    Any number of threads.
    """

    def __init__(
        self, store: Store, *, locks: Path, now: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._store = store
        self._locks = locks
        self._now = now
        self._monotonic = monotonic
        self._lines: dict[str, _Line] = {}
        self._guard = threading.Lock()

    def deliver_now(self, task: Task, messages: Sequence[OutboxMessage], tools: Toolbox) -> Outcomes:
        """Try once to post what was committed just now, `AT_ONCE_S` in all; return what is known of it then.

        Raises nothing. What is not taken, or not even tried, is the worker's.
        """
        if not messages:
            return {}
        wanted = {(message.day, message.ssid) for message in messages}
        source, line = task.source, self._line(task.poller)
        until_s = self._monotonic() + AT_ONCE_S
        try:
            if isinstance(source, Delivers) and source.is_sending() and self._monotonic() >= line.asked_s:
                with self._alone(task.poller, line) as is_alone:
                    if is_alone:
                        rows = [row for row in self._waiting(task) if row.key in wanted]
                        was_fine = self._pass(task, source, rows, tools, until_s=until_s)
                        if rows:
                            self._note_pass(task, line, was_fine, is_worker=False)
            return {
                row.key: Outcome("sent" if row.state == "sent" else "queued", row.answer)
                for row in self._store.state.outbox.all(task.poller)
                if row.key in wanted and (row.tries or row.state != "waiting")
            }
        except StateError as error:
            self._store.note_trouble(error)
            return {}

    def deliver_waiting(self, task: Task, source: Delivers, tools: Toolbox) -> None:
        """Post whatever waits, the newest day first. Raises nothing."""
        line = self._line(task.poller)
        try:
            with self._alone(task.poller, line) as is_alone:
                if is_alone:
                    was_fine = self._pass(task, source, self._waiting(task), tools)
                    self._note_pass(task, line, was_fine, is_worker=True)
        except StateError as error:
            # What was taken can't be noted: after a pause it is posted again.
            self._store.note_trouble(error)
            self._note_pass(task, line, False, is_worker=True)

    def may_begin(self, poller: str) -> bool:
        """Whether nobody of this process posts for a poller, and its pause is over."""
        line = self._line(poller)
        return not line.busy.locked() and self._monotonic() >= max(line.not_before_s, line.asked_s)

    def asked_at(self, poller: str) -> datetime | None:
        """Return until when an upstream is left alone, as it asked; None where it is not."""
        line = self._line(poller)
        return line.asked_at if self._monotonic() < line.asked_s else None

    def forget_waits(self, poller: str) -> None:
        """Try again at once: the address may be another one now."""
        line = self._line(poller)
        line.not_before_s = line.asked_s = 0.0

    def _line(self, poller: str) -> _Line:
        with self._guard:
            return self._lines.setdefault(poller, _Line())

    @contextmanager
    def _alone(self, poller: str, line: _Line) -> Iterator[bool]:
        """Hold what only one may hold; false where somebody else posts for this poller."""
        if not line.busy.acquire(blocking=False):
            yield False
            return
        lock = FileLock(self._locks / f"{poller}.sending.lock")
        try:
            yield _taken(lock, poller)
        finally:
            lock.release()
            line.busy.release()

    def _waiting(self, task: Task) -> tuple[OutboxRow, ...]:
        return self._store.state.outbox.waiting(task.poller)

    def _pass(
        self,
        task: Task,
        source: Delivers,
        rows: Sequence[OutboxRow],
        tools: Toolbox,
        *,
        until_s: float | None = None,
    ) -> bool:
        """Try each once; whether all were taken. Raises `StateError`."""
        is_fine, silent, line = True, 0, self._line(task.poller)
        for listed in rows:
            left_s = ONE_S if until_s is None else min(ONE_S, until_s - self._monotonic())
            if left_s <= 0 or silent >= MOST_SILENT or tools.stop():
                return False
            if self._monotonic() < line.asked_s:
                return False  # the row before was told to wait, and that is said to all of them
            row = self._store.state.outbox.find(listed)  # a newer one may have come meanwhile
            if row is None or row.state != "waiting":
                continue
            tools.alive()
            try:
                answer = self._answer(task, source, row, tools, left_s)
            except Stopped:
                return False
            self._note(row, answer)
            is_fine = is_fine and isinstance(answer, Accepted)
            silent = silent + 1 if isinstance(answer, str) else 0
        return is_fine

    def _answer(
        self, task: Task, source: Delivers, row: OutboxRow, tools: Toolbox, timeout_s: float
    ) -> Accepted | Refused | str:
        """Return what the upstream said, or why it said nothing. Raises `Stopped`."""
        try:
            return source.deliver(row.message, tools, timeout_s=timeout_s)
        except SourceError as failure:
            asked_s = min(failure.retry_after_s or 0.0, MOST_ASKED_S)
            line = self._line(task.poller)
            line.asked_s, line.asked_at = (
                self._monotonic() + asked_s,
                self._now() + timedelta(seconds=asked_s),
            )
            return failure.text
        except Stopped:
            raise
        except Exception as error:
            # Here is where a bug in a delivery ends: the reading is committed, and the report stays queued.
            log.exception("delivery crashed", extra=_whose(row))
            return f"tallyd itself failed ({type(error).__name__})"

    def _note(self, row: OutboxRow, answer: Accepted | Refused | str) -> None:
        """Commit what came of a try, and log it; a failure like the last is a detail. Raises `StateError`."""
        outbox, now = self._store.state.outbox, self._now()
        if isinstance(answer, Accepted):
            log.info("report sent", extra={**_whose(row), "answer": answer.answer})
            outbox.note_sent(row, at=now, answer=answer.answer)
            return
        text = answer if isinstance(answer, str) else answer.answer
        level = logging.DEBUG if row.failing_since and row.answer == text else logging.WARNING
        if isinstance(answer, Refused) and answer.for_good:
            log.warning("report refused, it is not tried again", extra={**_whose(row), "reason": text})
            outbox.park(row, at=now, answer=text)
            return
        log.log(level, "report not taken, it is tried again", extra={**_whose(row), "reason": text})
        outbox.note_failed(row, at=now, answer=text, was_refused=isinstance(answer, Refused))

    def _note_pass(self, task: Task, line: _Line, was_fine: bool, *, is_worker: bool) -> None:
        """Set the pause until the worker's next pass. A try of a new report does not put off a pass."""
        now_s = self._monotonic()
        if was_fine:
            line.failures, line.not_before_s = 0, now_s
        elif is_worker or now_s >= line.not_before_s:
            line.not_before_s = now_s + _pause_s(task.policy, line.failures)
            line.failures += is_worker


def _pause_s(policy: Policy, failures: int) -> float:
    """Return how long the worker waits after so many failed passes in a row before this one, in seconds."""
    return min(policy.first_wait_s * 2.0 ** min(failures, 30), policy.longest_wait_s)


def _taken(lock: FileLock, poller: str) -> bool:
    """Whether nobody else holds the lock; where it can't be taken at all, that is as good as having it."""
    try:
        lock.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        lock.take()
    except LockedError:
        return False
    except OSError as error:
        # The disk refuses new files. Only another process is no longer kept apart.
        fields = {"poller": poller, "reason": error.strerror}
        log.warning("sending lock cannot be taken", extra=fields)
    return True


def _whose(row: OutboxRow) -> dict[str, object]:
    return {"poller": row.poller, "ssid": row.message.ssid, "day": row.message.day.isoformat()}
