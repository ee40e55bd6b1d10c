"""Finds out why Apprise failed. Apprise only logs that it failed, so this module watches its network calls.

The texts contain the host but nothing else of the URL, no header and no body, except for the short reason in
the answers of Telegram and Rocket.Chat.
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
from tallyd.core.language.messages import english, mark_english

_SMTP: tuple[tuple[type[Exception], str], ...] = (
    (smtplib.SMTPAuthenticationError, english("refused the user's name or password")),
    (smtplib.SMTPSenderRefused, english("refused the sender")),
    (smtplib.SMTPDataError, english("refused the mail")),
    (smtplib.SMTPServerDisconnected, english("closed the connection")),
    (
        smtplib.SMTPNotSupportedError,
        english("does not support what the channel asks for (TLS or a login)"),
    ),
)
_KNOWN: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, english("its name can't be resolved")),
    (requests.exceptions.InvalidURL, english("this is not a valid host name")),
    (UnicodeError, english("this is not a valid host name")),
    (requests.exceptions.Timeout, english("no answer in time")),
    (TimeoutError, english("no answer in time")),
    (urllib3.exceptions.ProtocolError, english("the connection was interrupted")),
)


MOST_BYTES = 1024 * 1024
"""Limit for an answer. requests itself has none."""


class NotAccepted(requests.RequestException):  # plugins catch it as a failed request
    """An answer that does not mean that the message was accepted."""


def watch(tell: Callable[[str], None], objection: Callable[[requests.Response], str | None]) -> None:
    """From now on, call `tell` with the reason of every HTTP or SMTP failure in this process.

    For a plugin, a 2xx answer with an objection is a failed request.

    HTTP redirects are not followed: a token must not go to another host, and a redirect turns a POST into an
    empty GET, which some servers answer with 200.
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
                raise NotAccepted(why)  # noqa: TRY301 # handled like the others
        except Exception as error:
            tell(explain(error, host))
            raise
        if not is_fine:
            tell(refusal(answer, host))
        return answer

    setattr(requests.Session, "send", watched)  # noqa: B010 # mypy accepts no other way
    for step in ("__init__", "starttls", "login", "sendmail"):
        _watch_mail(step, tell)


def _read(answer: requests.Response) -> None:
    """Read the content of an answer. Raises `NotAccepted` if it is too long."""
    content = bytearray()
    for piece in answer.iter_content(65536):
        content += piece
        if len(content) > MOST_BYTES:
            answer.close()
            limit = str(MOST_BYTES // 2**20)
            why = mark_english("HTTP {status} with more than {limit} MiB (something else answers there?)")
            raise NotAccepted(english(why, status=answer.status_code, limit=limit))
    answer._content = bytes(content)  # where requests itself keeps it


def _watch_mail(step: str, tell: Callable[[str], None]) -> None:
    original = getattr(smtplib.SMTP, step)

    @functools.wraps(original)
    def watched(smtp: smtplib.SMTP, *args: Any, **options: Any) -> Any:
        # In __init__ there is no `_host` yet, but the first argument.
        host = str(getattr(smtp, "_host", "") or (args[0] if args else "")) or english("the mail server")
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
    """Return the reason for an answer that is not 2xx."""
    if 300 <= answer.status_code < 400:
        said = english("a redirect, which is not followed")
    else:
        said = reason_in(content_of(answer))
    reason = english("HTTP {status}[ ({said})]", status=answer.status_code, said=said)
    return english("{place}: {why}", place=host, why=reason)


def explain(error: BaseException, host: str) -> str:
    """Return the reason for an exception of requests, smtplib or a layer below. Never raises."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = sorted({str(code) for code, _text in error.recipients.values()})
        why = english("refused a recipient (SMTP {codes})", codes=", ".join(codes))
        return english("{place}: {why}", place=host, why=why)
    if isinstance(error, NotAccepted):
        return english("{place}: {why}", place=host, why=str(error))
    for smtp, text in _SMTP:
        if isinstance(error, smtp):
            code = getattr(error, "smtp_code", None)
            reason = english("{why} (SMTP {code})", why=text, code=code) if code else text
            return english("{place}: {why}", place=host, why=reason)
    if isinstance(error, smtplib.SMTPResponseException):
        status = f"SMTP {error.smtp_code}"
        return english("{place}: {why}", place=host, why=status)
    chain = tuple(causes(error))
    if any(isinstance(each, urllib3.exceptions.ProxyError) for each in chain):
        host = english("the proxy on the way to {host}", host=host)
    return english("{place}: {why}", place=host, why=_cause(chain))


def _cause(chain: tuple[BaseException, ...]) -> str:
    for each in chain:
        if isinstance(each, ssl.SSLCertVerificationError):
            return english("certificate not trusted ({why})", why=each.verify_message.rstrip("."))
        if isinstance(each, ssl.SSLError):
            why = each.reason.lower().replace("_", " ") if each.reason else english("no reason given")
            return english("TLS failed ({why})", why=why)
        if isinstance(each, OSError) and each.errno and not isinstance(each, socket.gaierror):
            return os.strerror(each.errno).lower()
    for kind, text in _KNOWN:
        if any(isinstance(each, kind) for each in chain):
            return text
    return english("the connection failed")
