"""The workers of a Dask cluster, on any machines: Dask's own client, seen as an executor."""

from __future__ import annotations

import logging
import threading
import warnings
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any, Final

from distributed import Client
from distributed.client import ClosedClientError
from distributed.scheduler import KilledWorker
from distributed.versions import VersionMismatchWarning

from tallyd.adapters.pools.dask_tls import security_for, tls_fault
from tallyd.adapters.pools.pool import Call
from tallyd.contract.workers import WorkersError
from tallyd.core.language.messages import english, mark_english

ANSWERS_S: Final = 5.0
"""How long the scheduler may take to answer."""
CLOSES_S: Final = 1.0
"""How long the end of the process may wait for it."""
_LOST: Final = mark_english("the connection to the scheduler was lost")
_KILLED: Final = mark_english("some targets were not checked: each worker that began with them died")

# What is wrong is told by the caller; and Dask compares its own versions, where tallyd compares its own.
logging.getLogger("distributed").setLevel(logging.CRITICAL)
logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", category=VersionMismatchWarning)


class DaskCluster:
    """The workers of the scheduler with this address; implements `Pool`.

    A client that has lost its scheduler is given up, and the next work gets a new one.
    """

    is_elsewhere = True

    def __init__(self, scheduler: str) -> None:
        self._scheduler = scheduler
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._executor: Executor | None = None

    def places(self) -> int:
        """Return the number of threads of all workers."""
        try:
            client = self._connected()
            scheduler: Any = client.scheduler
            found = client.sync(scheduler.identity, n_workers=0, callback_timeout=ANSWERS_S)
        except (OSError, TimeoutError, RuntimeError) as error:
            self.give_up()
            raise WorkersError(self._away(error)) from None
        if not found["total_threads"]:
            raise WorkersError(english("{address} has no workers", address=self._scheduler))
        return int(found["total_threads"])

    def submit(self, call: Call, given: bytes) -> Future[bytes]:
        """Begin a call. Dask repeats it elsewhere if a worker dies, up to three times."""
        outcome: Future[bytes] = Future()
        executor = self._executor
        asked: Future[bytes] | None = None
        with suppress(ClosedClientError):
            asked = executor.submit(call, given) if executor else None
        if asked is None:
            outcome.set_exception(WorkersError(_LOST))
        else:
            asked.add_done_callback(lambda ended: self._pass_on(ended, outcome))
        return outcome

    def give_up(self) -> None:
        """Leave the scheduler, which then forgets the calls that have not ended."""
        with self._lock:
            client, self._client, self._executor = self._client, None, None
        if client is not None:
            threading.Thread(target=_close, args=(client,), name="dask-close", daemon=True).start()

    def close(self) -> None:
        """Leave the scheduler."""
        with self._lock:
            client, self._client, self._executor = self._client, None, None
        if client is not None:
            _close(client)

    def _connected(self) -> Client:
        with self._lock:
            if self._client is not None and self._client.status == "running":
                return self._client
        self.give_up()
        client = Client(
            self._scheduler,
            security=security_for(self._scheduler),
            timeout=ANSWERS_S,
            set_as_default=False,
            name="tallyd",
        )
        with self._lock:
            self._client, self._executor = client, client.get_executor(pure=False)
        return client

    def _away(self, error: Exception) -> str:
        silent = english("no answer") if isinstance(error, TimeoutError) else english("no connection")
        why = tls_fault(error) or silent
        return english("{address}: {why}", address=self._scheduler, why=why)

    @staticmethod
    def _pass_on(asked: Future[bytes], outcome: Future[bytes]) -> None:
        failure = None if asked.cancelled() else asked.exception()
        if asked.cancelled():
            outcome.set_exception(WorkersError(_LOST))
        elif failure is None:
            outcome.set_result(asked.result())
        elif isinstance(failure, KilledWorker):
            outcome.set_exception(WorkersError(_KILLED))
        else:
            kind = type(failure).__name__  # such as a worker without tallyd
            why = english("workers cannot do the work ({kind}); is tallyd installed there?", kind=kind)
            outcome.set_exception(WorkersError(why))


def _close(client: Client) -> None:
    with suppress(OSError, TimeoutError, RuntimeError, AssertionError):
        client.close(timeout=CLOSES_S)
