"""The HTTP client: requests with a strict time limit. No text that it raises contains a URL."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tallyd.adapters.event_loop import EventLoop
from tallyd.adapters.http.answer import Answer
from tallyd.adapters.http.body import read_body
from tallyd.adapters.http.ca_store import TrustStore
from tallyd.adapters.http.connection import Connection, connected
from tallyd.adapters.http.errors import HANGUPS, TROUBLE, BadAnswer, ProxyAway, explain, timed_out
from tallyd.adapters.http.lookup import MOST_CHECKS
from tallyd.adapters.http.pool import Pool
from tallyd.adapters.http.request import Address, PreparedRequest, Proxy, prepared
from tallyd.adapters.http.responses import followed, is_whole, moved, parse_date, redirect_of, refusal, skew_s
from tallyd.contract.http import Reply, Request
from tallyd.core.errors import SourceError, Stopped
from tallyd.core.language.messages import english, mark_english
from tallyd.settings.urls import is_loopback

MOST_REDIRECTS: Final = 5
MOST_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True)
class _Task:
    """A request with its redirects: its limits, and the certificates that it trusts.

    `lookups` limits the name lookups at the same time.
    """

    lookups: asyncio.Semaphore
    limit_s: float
    began_s: float
    most_bytes: int
    trust: TrustStore

    def elapsed_s(self) -> float:
        return asyncio.get_running_loop().time() - self.began_s

    def left_s(self) -> float:
        return max(self.limit_s - self.elapsed_s(), 0.0)


class HttpClient:
    """Sends requests; implements `contract.Http`. Thread-safe.

    All requests are tasks of one event loop on a thread of its own, which starts with the first request. So
    a server that does not answer costs a socket, not a thread.

    `timeout_s` is for a whole request: name lookup, connecting, TLS, headers, the whole body and all
    redirects together. A lookup itself can't be interrupted: it keeps a thread for as long as the system's
    resolver takes (usually up to 10 to 30 s, see resolv.conf). Only the lookups of requests that are one of
    many have a limit. So no other request waits for the lookup of another one.

    `proxy` (`http://` or `https://`) is used for every host except this machine itself. No proxy comes from
    the environment, and no password from `.netrc`. Certificates are verified against `ca_file` (a file or a
    folder), by default the system's. `redact` is applied to every text that is raised. At most `max_bytes` of
    a body are read, counted unpacked.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        timeout_s: float,
        proxy: str | None = None,
        redact: Callable[[str], str] = str,
        max_bytes: int = MOST_BYTES,
        ca_file: Path | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._user_agent = user_agent
        self._timeout_s = timeout_s
        self._proxy = Proxy(proxy) if proxy else None
        self._redact = redact
        self._max_bytes = max_bytes
        self._now = now
        self._ca_file = ca_file
        self._trusts: dict[tuple[Path | None, Path | None], TrustStore] = {
            (ca_file, None): TrustStore(ca_file)
        }
        self._pool = Pool()
        self._shared_lookups = asyncio.Semaphore(MOST_CHECKS)
        self._loop = EventLoop("http", at_end=self._pool.close)

    def request(self, request: Request) -> Future[Reply]:
        """Begin a request. Raises `Stopped` after `abort`.

        The future has the answer if its status is 2xx except 206, also with an empty body. Else it has a
        `SourceError`, without a cause or context that could show the URL, or `Stopped`. It follows at most
        MOST_REDIRECTS redirects, within one host.

        A request that is sent once never goes over an idle connection, which the server may close at the same
        moment: then nobody knows whether it was read. It is not redirected either: its body would go to an
        address that nobody configured.
        """
        return self._loop.begin(self._outcome(request))

    def abort(self) -> None:
        """End all transfers at once. They and all later calls raise `Stopped`. Another call does nothing."""
        self._loop.end()

    def close(self) -> None:
        """Do what `abort` does: it also closes the idle connections."""
        self.abort()

    # -- one request ---------------------------------------------------------------------------------------

    async def _outcome(self, request: Request) -> Reply:
        """Return the reply within the limit. Raises `SourceError`, `Stopped`, without cause or context."""
        sent = prepared(request, self._headers(request))
        task = self._task(request)
        host = sent.address.host
        outcome: SourceError | Stopped
        try:
            async with asyncio.timeout(task.limit_s) as limit:
                return await self._answered(task, sent)
        except SourceError as failure:
            outcome = failure
        except asyncio.CancelledError:
            outcome = Stopped()
        except TROUBLE as error:
            late = limit.expired()
            outcome = (
                timed_out(host, task.limit_s)
                if late
                else explain(error, host=host, limit_s=task.limit_s, trusted=request.ca_file or self._ca_file)
            )
        if isinstance(outcome, SourceError):
            # A new exception: the old one may have a context.
            outcome = SourceError(
                self._redact(outcome.text),
                transient=outcome.transient,
                retry_after_s=outcome.retry_after_s,
                status=outcome.status,
            )
        try:
            raise outcome  # outside of any except block, which would add a context
        finally:
            # Its traceback holds this frame, and the limit the task that ends with it: all of them would wait
            # for the garbage collector.
            del outcome, limit

    def _headers(self, request: Request) -> Iterable[tuple[str, str]]:
        """Return all headers in turn; the last with a name counts."""
        yield from {"User-Agent": self._user_agent, "Accept": "*/*", **request.headers}.items()
        yield "Connection", "close" if request.is_sent_once else "keep-alive"
        yield "Accept-Encoding", "gzip"  # `read_body` unpacks nothing else

    def _task(self, request: Request) -> _Task:
        files = request.ca_file or self._ca_file, request.client_cert
        if files not in self._trusts:
            self._trusts[files] = TrustStore(files[0], client_cert=files[1])
        return _Task(
            lookups=self._shared_lookups if request.is_one_of_many else asyncio.Semaphore(),
            limit_s=self._timeout_s if request.timeout_s is None else request.timeout_s,
            began_s=asyncio.get_running_loop().time(),
            most_bytes=min(request.max_bytes or self._max_bytes, self._max_bytes),
            trust=self._trusts[files],
        )

    async def _answered(self, task: _Task, sent: PreparedRequest) -> Reply:
        """Return the answer at the end of all redirects. Raises `SourceError` and `TROUBLE`."""
        host = sent.address.host
        for _ in range(MOST_REDIRECTS + 1):
            asked_at = self._now()
            async with self._asked(task, sent) as answer:
                location = redirect_of(answer.status, answer.headers)
                if location is None:
                    return await self._reply(task, answer, host, asked_at)
            if sent.is_sent_once:
                raise moved(answer.status, host=host)
            sent = sent.moved_to(followed(sent.url, location, host=host), answer.status)
        text = english("{host} redirects more than {most} times", host=host, most=MOST_REDIRECTS)
        raise SourceError(text, transient=False)

    async def _reply(self, task: _Task, answer: Answer, host: str, asked_at: datetime) -> Reply:
        answered_at = self._now()
        if not is_whole(answer.status):
            raise refusal(answer.status, answer.headers, host=host, now=answered_at)
        try:
            body = await read_body(answer, most_bytes=task.most_bytes)
        except BadAnswer as error:
            # Add the status: callers distinguish a bad answer from no answer.
            raise SourceError(error.reason(host), transient=error.transient, status=answer.status) from None
        return Reply(
            status=answer.status,
            headers=answer.headers,
            body=body,
            host=host,
            answered_at=answered_at,
            skew_s=skew_s(asked_at, answered_at, parse_date(answer.headers.get("date"))),
            elapsed_s=task.elapsed_s(),
        )

    @contextlib.asynccontextmanager
    async def _asked(self, task: _Task, sent: PreparedRequest) -> AsyncIterator[Answer]:
        """Send a request; yield the answer, its body unread. Keeps the connection if nothing is left on it.

        A server may close an idle connection at the moment when we use it again. That is no failure, so the
        request is sent once more over a new connection.
        """
        there = sent.address
        proxy = None if is_loopback(sent.url) else self._proxy
        context = task.trust.context() if there.scheme == "https" else None
        key = there.scheme, there.name, there.port, context, proxy is None
        written = sent.written(proxy if context is None else None)
        connection = None if sent.is_sent_once else self._pool.take(key)
        answer = None
        try:
            if connection is not None:
                try:
                    answer = await _exchanged(connection, written, has_body=sent.has_reply_body)
                except HANGUPS:
                    if connection.has_answered:
                        raise
                    connection.close()
            if answer is None:
                connection = await self._connected(task, there, proxy, context)
                answer = await _exchanged(connection, written, has_body=sent.has_reply_body)
            yield answer
        finally:
            if connection is not None:
                if answer is not None and answer.is_reusable and not sent.is_sent_once:
                    self._pool.put(key, connection)
                else:
                    connection.close()

    async def _connected(
        self, task: _Task, there: Address, proxy: Proxy | None, context: ssl.SSLContext | None
    ) -> Connection:
        """Return a new connection over which a request can be sent. Raises `SourceError` and `TROUBLE`."""
        if proxy is None:
            connection = await connected(there.name, there.port, left_s=task.left_s, lookups=task.lookups)
        else:
            connection = await self._to_proxy(task, proxy.address)
        try:
            if context is not None:
                if proxy is not None:
                    await _open_way(connection, proxy, there)
                await connection.secure(context, there.name)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _to_proxy(self, task: _Task, address: Address) -> Connection:
        try:
            context = self._trusts[self._ca_file, None].context() if address.scheme == "https" else None
            connection = await connected(address.name, address.port, left_s=task.left_s, lookups=task.lookups)
            if context is not None:
                await connection.secure(context, address.name)
        except TROUBLE as error:
            raise ProxyAway(error) from None
        return connection


async def _exchanged(connection: Connection, written: bytes, *, has_body: bool = True) -> Answer:
    await connection.send(written)
    answer = Answer(connection, has_body=has_body)
    await answer.read_head()
    return answer


async def _open_way(connection: Connection, proxy: Proxy, there: Address) -> None:
    try:
        answer = await _exchanged(connection, proxy.opening(there))
        if answer.has_more and 200 <= answer.status < 300:
            # Nobody speaks first in TLS. What the proxy says here could pass for a part of the answer.
            raise BadAnswer(mark_english("{host} sent more than its answer to CONNECT"))
    except TROUBLE as error:
        raise ProxyAway(error) from None
    if not 200 <= answer.status < 300:
        text = english(
            "the proxy on the way to {host} refused (HTTP {status})", host=there.host, status=answer.status
        )
        raise SourceError(text, transient=answer.status not in (403, 407))
