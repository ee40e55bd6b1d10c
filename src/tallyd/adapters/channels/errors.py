"""Why Apprise failed. It logs that it did; what happened is seen where it happens, on the way to the network.

Nothing of a URL but the host, no header and no body is put into a text, save for the short reason that the
answers of Telegram and Rocket.Chat carry.
"""

from __future__ import annotations

import functools
import os
import smtplib
import socket
import ssl
from collections.abc import Callable
from typing import Any

import requests
import urllib3.exceptions

from tallyd.adapters.channels.answers import content_of, reason_in
from tallyd.core.addresses import host_of
from tallyd.core.errors import causes

_SMTP: tuple[tuple[type[Exception], str], ...] = (
    (smtplib.SMTPAuthenticationError, "refused the user's name or password"),
    (smtplib.SMTPSenderRefused, "refused the sender"),
    (smtplib.SMTPDataError, "refused the mail"),
    (smtplib.SMTPServerDisconnected, "closed the connection"),
    (smtplib.SMTPNotSupportedError, "does not offer what the channel asks for (TLS or a login)"),
)
_KNOWN: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "its name can't be resolved"),
    (requests.exceptions.InvalidURL, "that is no name of a host"),
    (UnicodeError, "that is no name of a host"),
    (requests.exceptions.Timeout, "no answer in time"),
    (TimeoutError, "no answer in time"),
    (urllib3.exceptions.ProtocolError, "the connection broke off"),
)


MOST_BYTES = 1024 * 1024
"""Of an answer. requests itself would read on until there is no memory left."""


class NotTaken(requests.RequestException):  # as plugins catch it: a request that failed
    """An answer that does not say that the message was taken."""


def watch(tell: Callable[[str], None], objection: Callable[[requests.Response], str | None]) -> None:
    """From now on, `tell` of everything that fails in this process over HTTP or SMTP.

    To a plugin, an answer of 2xx to which there is an objection is a request that failed.

    Redirects of HTTP are not followed: a token must not go to another host, and what a redirect makes of a
    POST is an empty GET, which some servers answer with 200.
    """
    send = requests.Session.send

    @functools.wraps(send)
    def watched(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
        host = host_of(request.url or "")
        try:
            answer = send(session, request, **{**options, "allow_redirects": False, "stream": True})
            _read(answer)
            is_fine = 200 <= answer.status_code < 300
            if is_fine and (why := objection(answer)):
                raise NotTaken(f"HTTP {answer.status_code} {why}")  # noqa: TRY301 # told of as all others are
        except Exception as error:
            tell(explain(error, host))
            raise
        if not is_fine:
            tell(refusal(answer, host))
        return answer

    setattr(requests.Session, "send", watched)  # noqa: B010 # mypy takes no other way
    for step in ("__init__", "starttls", "login", "sendmail"):
        _watch_mail(step, tell)


def _read(answer: requests.Response) -> None:
    """Read the content of an answer. Raises `NotTaken` for one without an end."""
    content = bytearray()
    for piece in answer.iter_content(65536):
        content += piece
        if len(content) > MOST_BYTES:
            answer.close()
            many = f"more than {MOST_BYTES // 2**20} MiB"
            raise NotTaken(f"HTTP {answer.status_code} with {many} (something else answers there?)")
    answer._content = bytes(content)  # as requests keeps what it has read itself


def _watch_mail(step: str, tell: Callable[[str], None]) -> None:
    original = getattr(smtplib.SMTP, step)

    @functools.wraps(original)
    def watched(smtp: smtplib.SMTP, *args: Any, **options: Any) -> Any:
        # In __init__, the host is still the first argument.
        host = str(getattr(smtp, "_host", "") or (args[0] if args else "")) or "the mail server"
        try:
            outcome = original(smtp, *args, **options)
        except Exception as error:
            tell(explain(error, host))
            raise
        if step == "sendmail" and outcome:
            tell(explain(smtplib.SMTPRecipientsRefused(outcome), host))
        return outcome

    setattr(smtplib.SMTP, step, watched)


def refusal(answer: requests.Response, host: str) -> str:
    """Return what an answer other than 2xx means."""
    if 300 <= answer.status_code < 400:
        return f"{host}: HTTP {answer.status_code} (a redirect, which is not followed)"
    said = reason_in(content_of(answer))
    return f"{host}: HTTP {answer.status_code}" + (f" ({said})" if said else "")


def explain(error: BaseException, host: str) -> str:
    """Return what an exception of requests, smtplib or below means. Never raises."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = sorted({str(code) for code, _text in error.recipients.values()})
        return f"{host}: refused a recipient (SMTP {', '.join(codes)})"
    if isinstance(error, NotTaken):
        return f"{host}: {error}"
    for smtp, text in _SMTP:
        if isinstance(error, smtp):
            code = getattr(error, "smtp_code", None)
            return f"{host}: {text}" + (f" (SMTP {code})" if code else "")
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{host}: SMTP {error.smtp_code}"
    chain = tuple(causes(error))
    if any(isinstance(each, urllib3.exceptions.ProxyError) for each in chain):
        host = f"the proxy on the way to {host}"
    return f"{host}: {_cause(chain)}"


def _cause(chain: tuple[BaseException, ...]) -> str:
    for each in chain:
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"certificate not trusted ({each.verify_message.rstrip('.')})"
        if isinstance(each, ssl.SSLError):
            return f"TLS failed ({(each.reason or 'no reason given').lower().replace('_', ' ')})"
        if isinstance(each, OSError) and each.errno and not isinstance(each, socket.gaierror):
            return os.strerror(each.errno).lower()
    for kind, text in _KNOWN:
        if any(isinstance(each, kind) for each in chain):
            return text
    return "the connection failed"
