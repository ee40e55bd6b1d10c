"""The only way to an upstream: every report is posted here, and its outcome is noted.

A process that dies between a POST and the note of its answer posts again. That is harmless: a report holds
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
from tallyd.contract.delivery import Accepted, Delivers, Refused
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError, Stopped
from tallyd.core.language.messages import english
from tallyd.core.outbox import Outcome, Outcomes
from tallyd.core.reading import OutboxMessage
from tallyd.core.stored import OutboxRow
from tallyd.retry import Policy
from tallyd.storage.store import Store

log = logging.getLogger("tallyd")

AT_ONCE_S = 20.0
"""Time limit for the first try of all reports of one run, right after the commit."""
ONE_S = 20.0
"""Time limit for one try of one report."""
MOST_ASKED_S = 3600.0
"""If an upstream asks for a longer wait (`Retry-After`), tallyd waits only this long: the reports of the day
must arrive, and a longer time is usually a mistake."""
MOST_SILENT = 2
"""A pass ends after this many tries in a row without an answer."""


@dataclass
class _Upstream:
    """The upstream of one poller while the process runs.

    Whoever posts holds `busy`. The next pass begins at `not_before_s` (monotonic) or later. If the upstream
    asked for a wait, no report is tried before `asked_s` (monotonic); `asked_at` is the same instant for
    people.
    """

    busy: threading.Lock = field(default_factory=threading.Lock)
    failures: int = 0
    not_before_s: float = 0.0
    asked_s: float = 0.0
    asked_at: datetime | None = None


class Relay:
    """Posts reports, never two at a time for the same poller.

    A lock file also excludes `once`. Thread-safe.
    """

    def __init__(
        self, store: Store, *, locks: Path, now: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._store = store
        self._locks = locks
        self._now = now
        self._monotonic = monotonic
        self._upstreams: dict[str, _Upstream] = {}
        self._guard = threading.Lock()

    def deliver_now(self, task: Task, messages: Sequence[OutboxMessage], tools: Toolbox) -> Outcomes:
        """Try once to post reports that were just committed. Return their outcomes so far.

        Takes at most `AT_ONCE_S`. Raises nothing. The worker retries reports that were not accepted or not
        tried.
        """
        if not messages:
            return {}
        wanted = {(message.day, message.ssid) for message in messages}
        source, upstream = task.source, self._upstream(task.poller)
        until_s = self._monotonic() + AT_ONCE_S
        try:
            if isinstance(source, Delivers) and source.is_sending() and self._monotonic() >= upstream.asked_s:
                with self._alone(task.poller, upstream) as is_alone:
                    if is_alone:
                        rows = [row for row in self._waiting(task) if row.key in wanted]
                        was_fine = self._pass(task, source, rows, tools, until_s=until_s)
                        if rows:
                            self._note_pass(task, upstream, was_fine, is_worker=False)
            return {
                row.key: Outcome("sent" if row.state == "sent" else "queued", row.answer)
                for row in self._store.state.outbox.all(task.poller)
                if row.key in wanted and (row.tries or row.state != "waiting")
            }
        except StateError as error:
            self._store.note_trouble(error)
            return {}

    def deliver_waiting(self, task: Task, source: Delivers, tools: Toolbox) -> None:
        """Post all waiting reports, the newest day first. Raises nothing."""
        upstream = self._upstream(task.poller)
        try:
            with self._alone(task.poller, upstream) as is_alone:
                if is_alone:
                    was_fine = self._pass(task, source, self._waiting(task), tools)
                    self._note_pass(task, upstream, was_fine, is_worker=True)
        except StateError as error:
            # An accepted report could not be noted. It is posted again after a pause.
            self._store.note_trouble(error)
            self._note_pass(task, upstream, False, is_worker=True)

    def may_begin(self, poller: str) -> bool:
        """Whether no thread posts for this poller now, and its pause is over."""
        upstream = self._upstream(poller)
        return not upstream.busy.locked() and self._monotonic() >= max(
            upstream.not_before_s, upstream.asked_s
        )

    def asked_at(self, poller: str) -> datetime | None:
        """Return when the wait ends that the upstream asked for; None if there is none."""
        upstream = self._upstream(poller)
        return upstream.asked_at if self._monotonic() < upstream.asked_s else None

    def forget_waits(self, poller: str) -> None:
        """End all waits: the address may have changed."""
        upstream = self._upstream(poller)
        upstream.not_before_s = upstream.asked_s = 0.0

    def _upstream(self, poller: str) -> _Upstream:
        with self._guard:
            return self._upstreams.setdefault(poller, _Upstream())

    @contextmanager
    def _alone(self, poller: str, upstream: _Upstream) -> Iterator[bool]:
        """Hold both locks of the poller. Yields false if somebody else posts for it."""
        if not upstream.busy.acquire(blocking=False):
            yield False
            return
        lock = FileLock(self._locks / f"{poller}.sending.lock")
        try:
            yield _acquired(lock, poller)
        finally:
            lock.release()
            upstream.busy.release()

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
        """Try each report once. Return whether all were accepted. Raises `StateError`."""
        is_fine, silent, upstream = True, 0, self._upstream(task.poller)
        for listed in rows:
            left_s = ONE_S if until_s is None else min(ONE_S, until_s - self._monotonic())
            if left_s <= 0 or silent >= MOST_SILENT or tools.stop():
                return False
            if self._monotonic() < upstream.asked_s:
                return False  # the upstream just asked for a wait
            row = self._store.state.outbox.find(listed)  # a newer report may have replaced it
            if row is None or row.state != "waiting":
                continue
            tools.alive()
            self._store.state.confirm()  # a daemon that was frozen must not post what another one has sent
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
        """Return the upstream's answer, or the reason why there is none. Raises `Stopped`."""
        try:
            return source.deliver(row.message, tools, timeout_s=timeout_s)
        except SourceError as failure:
            asked_s = min(failure.retry_after_s or 0.0, MOST_ASKED_S)
            upstream = self._upstream(task.poller)
            upstream.asked_s, upstream.asked_at = (
                self._monotonic() + asked_s,
                self._now() + timedelta(seconds=asked_s),
            )
            return failure.text
        except Stopped:
            raise
        except Exception as error:
            # A bug in a delivery must not end the run: the reading is committed, the report stays queued.
            log.exception("delivery crashed", extra=_log_fields(row))
            return english("tallyd itself failed ({kind})", kind=type(error).__name__)

    def _note(self, row: OutboxRow, answer: Accepted | Refused | str) -> None:
        """Commit and log the outcome of a try. A repeated failure is logged at DEBUG. Raises `StateError`."""
        outbox, now = self._store.state.outbox, self._now()
        if isinstance(answer, Accepted):
            log.info("report sent", extra={**_log_fields(row), "answer": answer.answer})
            outbox.note_sent(row, at=now, answer=answer.answer)
            return
        text = answer if isinstance(answer, str) else answer.answer
        level = logging.DEBUG if row.failing_since and row.answer == text else logging.WARNING
        if isinstance(answer, Refused) and answer.for_good:
            log.warning("report rejected, will not retry", extra={**_log_fields(row), "reason": text})
            outbox.park(row, at=now, answer=text)
            return
        log.log(level, "report not accepted, will retry", extra={**_log_fields(row), "reason": text})
        outbox.note_failed(row, at=now, answer=text, was_refused=isinstance(answer, Refused))

    def _note_pass(self, task: Task, upstream: _Upstream, was_fine: bool, *, is_worker: bool) -> None:
        """Set the pause until the worker's next pass. The first try of a new report does not delay it."""
        now_s = self._monotonic()
        if was_fine:
            upstream.failures, upstream.not_before_s = 0, now_s
        elif is_worker or now_s >= upstream.not_before_s:
            upstream.not_before_s = now_s + _pause_s(task.policy, upstream.failures)
            upstream.failures += is_worker


def _pause_s(policy: Policy, failures: int) -> float:
    """Return the pause after a failed pass, in seconds. `failures`: how many failed in a row before it."""
    return min(policy.first_wait_s * 2.0 ** min(failures, 30), policy.longest_wait_s)


def _acquired(lock: FileLock, poller: str) -> bool:
    """Whether we may post: nobody else holds the lock, or the lock file can't be used at all."""
    try:
        lock.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        lock.take()
    except LockedError:
        return False
    except OSError as error:
        # The disk accepts no new files. Post anyway: the lock only excludes other processes.
        fields = {"poller": poller, "reason": error.strerror}
        log.warning("sending lock cannot be acquired", extra=fields)
    return True


def _log_fields(row: OutboxRow) -> dict[str, object]:
    return {"poller": row.poller, "ssid": row.message.ssid, "day": row.message.day.isoformat()}
