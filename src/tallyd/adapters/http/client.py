"""The HTTP client: GET and POST with a strict time limit. No text that it raises contains a URL."""

from __future__ import annotations

import contextlib
import copy
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import requests
from requests.structures import CaseInsensitiveDict

from tallyd.adapters.http.body import UNUSABLE, read_body
from tallyd.adapters.http.ca_store import TrustStore, system_store
from tallyd.adapters.http.deadline import Ended, Transfer, Watch
from tallyd.adapters.http.errors import TROUBLE, explain, is_hangup, timed_out
from tallyd.adapters.http.responses import followed, is_whole, moved, parse_date, redirect_of, refusal
from tallyd.adapters.http.transport import Adapter, silence_libraries
from tallyd.contract.http import Reply
from tallyd.core.addresses import host_of
from tallyd.core.errors import SourceError, Stopped
from tallyd.settings.types import is_loopback

MOST_REDIRECTS = 5
MOST_BYTES = 8 * 1024 * 1024

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?")


class HttpClient:
    """GET and POST; implements `contract.Http`. Thread-safe.

    `timeout_s` is for a whole request: connecting, TLS, headers, the whole body and all redirects together.
    Only a name lookup can't be interrupted: the system's resolver usually takes up to 10 to 30 s (see
    resolv.conf). The deadline or a shutdown takes effect right after it.

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
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        silence_libraries()
        self._user_agent = user_agent
        self._timeout_s = timeout_s
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._redact = redact
        self._max_bytes = max_bytes
        self._now = now
        self._watch = Watch(monotonic)
        self._trusted = ca_file
        self._adapter = Adapter(TrustStore(ca_file or system_store()))
        self._others: dict[Path, HttpClient] = {}
        self._making = threading.Lock()

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        ca_file: Path | None = None,
        max_bytes: int | None = None,
    ) -> Reply:
        """Return the answer if its status is 2xx except 206, also with an empty body.

        Raises `SourceError` for anything else. It has no cause or context, which could show the URL. Raises
        `Stopped` after `abort`, also during a transfer. Follows at most MOST_REDIRECTS redirects, within one
        host. With `ca_file`, only its certificates are trusted. `max_bytes` may lower the client's own limit.
        """
        client = self if ca_file is None else self._trusting(ca_file)
        request = client._prepared("GET", url, params or {}, headers or {})
        most_bytes = min(max_bytes or client._max_bytes, client._max_bytes)
        return client._answer(request, timeout_s, partial(client._followed, most_bytes=most_bytes))

    def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send `body` at most once, and return the answer as `get` does.

        No redirect is followed: the body would go to an address that nobody configured. After a hang-up
        nothing is sent again, since the other side may have read it; the caller decides. The connection is
        closed each time: otherwise the server may close it while it is idle, and the next body would be lost.
        """
        request = self._prepared("POST", url, {}, {**(headers or {}), "Connection": "close"}, body)
        return self._answer(request, timeout_s, self._sent_once)

    def _answer(
        self,
        request: requests.PreparedRequest,
        timeout_s: float | None,
        ask: Callable[[Transfer, requests.PreparedRequest, str], Reply],
    ) -> Reply:
        """Return the answer, or raise its failure."""
        with self._watch.transfer(self._timeout_s if timeout_s is None else timeout_s) as transfer:
            outcome = self._outcome(transfer, request, ask)
        if isinstance(outcome, Reply):
            return outcome
        raise outcome  # outside of any except block, which would add a context

    def abort(self) -> None:
        """End all transfers at once. They and all later calls raise `Stopped`."""
        self._watch.abort()

    def close(self) -> None:
        """Abort, and close the idle connections. A further call does nothing."""
        self.abort()
        for client in (self, *self._others.values()):
            client._adapter.close()

    def _trusting(self, ca_file: Path) -> HttpClient:
        """Return a copy of this client that trusts only `ca_file`. It has its own connections."""
        with self._making:
            if ca_file not in self._others:
                self._others[ca_file] = other = copy.copy(self)
                other._trusted = ca_file
                other._adapter = Adapter(TrustStore(ca_file))
            return self._others[ca_file]

    def _prepared(
        self,
        method: str,
        url: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> requests.PreparedRequest:
        """Return the request as it will be sent. Raises `SourceError` if it can't be sent."""
        sent = CaseInsensitiveDict(
            {"User-Agent": self._user_agent, "Accept": "*/*", "Connection": "keep-alive"}
        )
        sent.update(headers)
        sent["Accept-Encoding"] = "gzip"  # always: `read_body` unpacks nothing else
        for name, value in sent.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise SourceError("a header holds characters that can't be sent", transient=False)
        with contextlib.suppress(requests.RequestException, ValueError):
            asked = requests.Request(method, url, params=urlencode(params), headers=sent, data=body)
            request = asked.prepare()
            if host_of(request.url or ""):
                return request
        raise SourceError(
            "the address can't be read; it must begin with https:// and name a host", transient=False
        )

    def _outcome(
        self,
        transfer: Transfer,
        request: requests.PreparedRequest,
        ask: Callable[[Transfer, requests.PreparedRequest, str], Reply],
    ) -> Reply | SourceError | Stopped:
        """Return the answer, or the exception to raise."""
        host = host_of(request.url or "")
        outcome: Reply | SourceError
        try:
            outcome = ask(transfer, request, host)
        except SourceError as failure:
            outcome = failure
        except TROUBLE as error:
            outcome = explain(error, host=host, limit_s=transfer.limit_s, trusted=self._trusted)
        # A connection that we cut looks as if the other side closed it, or like the end of a body.
        if transfer.ended is Ended.SHUTDOWN:
            return Stopped()
        if transfer.ended is Ended.DEADLINE:
            outcome = timed_out(host, transfer.limit_s)
        if isinstance(outcome, Reply):
            return outcome
        text = self._redact(outcome.text)
        # A new exception: the old one may have a context.
        return SourceError(
            text,
            transient=outcome.transient,
            retry_after_s=outcome.retry_after_s,
            status=outcome.status,
        )

    def _followed(
        self, transfer: Transfer, request: requests.PreparedRequest, host: str, *, most_bytes: int
    ) -> Reply:
        """Return the answer at the end of all redirects. Raises `SourceError` and `TROUBLE`."""
        for _ in range(MOST_REDIRECTS + 1):
            asked_at = self._now()
            with contextlib.closing(self._sent(transfer, request)) as answer:
                location = redirect_of(answer.status_code, answer.headers)
                if location is None:
                    return self._reply(transfer, answer, host, asked_at, most_bytes)
            request = request.copy()
            request.prepare_url(followed(request.url or "", location, host=host), None)
        raise SourceError(f"{host} redirects more than {MOST_REDIRECTS} times", transient=False)

    def _sent_once(self, transfer: Transfer, request: requests.PreparedRequest, host: str) -> Reply:
        """Return the answer, without redirects and retries. Raises like `_followed`."""
        asked_at = self._now()
        with contextlib.closing(self._send(transfer, request)) as answer:
            if redirect_of(answer.status_code, answer.headers) is not None:
                raise moved(answer.status_code, host=host)
            return self._reply(transfer, answer, host, asked_at, self._max_bytes)

    def _reply(
        self,
        transfer: Transfer,
        answer: requests.Response,
        host: str,
        asked_at: datetime,
        most_bytes: int,
    ) -> Reply:
        now = self._now()
        if not is_whole(answer.status_code):
            raise refusal(answer.status_code, answer.headers, host=host, now=now)
        date = parse_date(answer.headers.get("Date"))
        try:
            body = read_body(answer, most_bytes=most_bytes, check=transfer.check)
        except UNUSABLE as error:
            failure = explain(error, host=host, limit_s=transfer.limit_s)
            # Add the status: callers distinguish a bad answer from no answer.
            raise SourceError(failure.text, transient=failure.transient, status=answer.status_code) from None
        return Reply(
            status=answer.status_code,
            headers=answer.headers,
            body=body,
            host=host,
            skew_s=(asked_at + (now - asked_at) / 2 - date).total_seconds() if date else None,
            elapsed_s=transfer.elapsed_s(),
        )

    def _sent(self, transfer: Transfer, request: requests.PreparedRequest) -> requests.Response:
        """Return the answer, its body unread.

        A server may close an idle connection at the moment when we use it again. That is no failure, so the
        request is sent once more over a new connection.
        """
        try:
            return self._send(transfer, request)
        except TROUBLE as error:
            if transfer.connected or not is_hangup(error):
                raise
        # urllib3 has replaced that connection by an empty place in its pool, and uses that one first.
        return self._send(transfer, request)

    def _send(self, transfer: Transfer, request: requests.PreparedRequest) -> requests.Response:
        transfer.check()
        transfer.connected = False
        proxies = {} if is_loopback(request.url or "") else self._proxies
        return self._adapter.send(request, stream=True, timeout=transfer.left_s(), proxies=proxies)
