"""Explains why a request failed. The texts contain no URL, no header value and no body.

Exceptions of the layers below are neither shown nor chained: only their types, their numbers and the fixed
texts of OpenSSL and the system are used.
"""

from __future__ import annotations

import os
import socket
import ssl
from datetime import timedelta
from pathlib import Path

from tallyd.adapters.http.ca_store import StoreUnreadable
from tallyd.core.errors import SourceError
from tallyd.core.language.messages import english, mark, mark_english


class BadAnswer(Exception):  # noqa: N818 # this and the next are named after the finding
    """What came is no whole answer. The message has a place for `{host}`. `transient`: see `SourceError`."""

    transient = True

    def __init__(self, message: str, **values: str) -> None:
        super().__init__(message)
        self._values = values

    def reason(self, host: str) -> str:
        """Return what is wrong, as a sentence about the host."""
        return english(str(self), host=host, **self._values)


class NoAnswer(BadAnswer):
    """The connection was closed before the first byte of the answer."""

    def __init__(self) -> None:
        super().__init__(mark_english("{host} closed the connection without an answer"))


class ProxyAway(Exception):  # noqa: N818 # see above
    """The proxy can't be reached, or does not answer CONNECT as it should, for the reason in `cause`."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


TROUBLE = (OSError, UnicodeError, BadAnswer, ProxyAway, StoreUnreadable)
"""Everything that goes wrong because of the other side. Anything else is a bug."""

HANGUPS = (NoAnswer, ConnectionResetError, BrokenPipeError)
"""The other side closed the connection. It may do so at any time while it is idle."""

_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 9, 10, 62, 64  # X509_V_ERR_... of OpenSSL


def explain(error: Exception, *, host: str, limit_s: float, trusted: Path | None = None) -> SourceError:
    """Return the failure for an exception. Never raises.

    `trusted` is the only file with trusted authorities; None: those of this machine.
    """
    if isinstance(error, ProxyAway):
        proxy = english("the proxy on the way to {address}", address=host)
        return explain(error.cause, host=proxy, limit_s=limit_s, trusted=trusted)
    if isinstance(error, ssl.SSLError):
        return _tls_failed(error, host, trusted)
    if isinstance(error, TimeoutError) and not error.errno:
        return timed_out(host, limit_s)
    if isinstance(error, BadAnswer):
        return SourceError(error.reason(host), transient=error.transient)
    transient = True
    if isinstance(error, socket.gaierror):
        why = mark("its name can't be resolved")
    elif isinstance(error, UnicodeError):
        why, transient = mark("this is not a valid host name"), False
    elif isinstance(error, StoreUnreadable):
        why, transient = str(error), False
    elif isinstance(error, OSError) and error.errno:
        why = os.strerror(error.errno).lower()
    else:
        why = mark("the connection failed")
    return SourceError(english("{place}: {why}", place=host, why=why), transient=transient)


def timed_out(host: str, limit_s: float) -> SourceError:
    """Return the failure of a request that took too long."""
    text = english("{place} timed out after {duration}", place=host, duration=timedelta(seconds=limit_s))
    return SourceError(text, transient=True)


def _tls_failed(error: ssl.SSLError, host: str, trusted: Path | None) -> SourceError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _not_trusted(error, host, trusted)
    if error.reason in _NO_TLS:
        text = english("{host} does not speak TLS; is its address http:// and not https://?", host=host)
        return SourceError(text, transient=True)
    why = error.reason.lower().replace("_", " ") if error.reason else ""
    return SourceError(english("{host}: TLS failed[ ({why})]", host=host, why=why), transient=True)


def _not_trusted(error: ssl.SSLCertVerificationError, host: str, trusted: Path | None) -> SourceError:
    code = error.verify_code
    if code == _EXPIRED:
        advice = mark("it must be renewed there, unless this machine's clock is wrong")
    elif code == _NOT_YET_VALID:
        advice = mark("look at this machine's clock")
    elif code in (_WRONG_NAME, _WRONG_ADDRESS):
        advice = mark("use the host name that the certificate is for")
    elif trusted:
        advice = english("if it is the right one, put its issuer into {file}", file=trusted)
    else:
        advice = mark("if it is the right one, add its issuer to this machine's trusted certificates")
    text = english(
        "{host}: certificate not trusted ({flaw}); {advice}",
        host=host,
        flaw=error.verify_message.rstrip("."),
        advice=advice,
    )
    # A machine without a clock battery boots in the past. That passes once it has synchronized its clock.
    passing = code == _NOT_YET_VALID
    return SourceError(text, transient=passing)
