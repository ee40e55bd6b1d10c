"""Explains why a request failed. The texts contain no URL, no header value and no body.

Exceptions of the layers below are neither shown nor chained: only their types, their numbers and the fixed
texts of OpenSSL and the system are used.
"""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from typing import Final

from tallyd.adapters.http.ca_store import StoreUnreadable
from tallyd.core.errors import SourceError
from tallyd.core.language.formats import span

BROKEN_OFF: Final = " ended in the middle of its answer"


class BadAnswer(Exception):  # noqa: N818 # this and the next are named after the finding
    """What came is no whole answer. The text follows the name of the host."""


class NoAnswer(BadAnswer):
    """The connection was closed before the first byte of the answer."""

    def __init__(self) -> None:
        super().__init__(" closed the connection without an answer")


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
        return explain(error.cause, host=f"the proxy on the way to {host}", limit_s=limit_s, trusted=trusted)
    if isinstance(error, ssl.SSLError):
        return _tls_failed(error, host, trusted)
    if isinstance(error, TimeoutError) and not error.errno:
        return timed_out(host, limit_s)
    transient = True
    if isinstance(error, BadAnswer):
        text = str(error)
    elif isinstance(error, socket.gaierror):
        text = ": its name can't be resolved"
    elif isinstance(error, UnicodeError):
        text, transient = ": this is not a valid host name", False
    elif isinstance(error, StoreUnreadable):
        text, transient = f": {error}", False
    elif isinstance(error, OSError) and error.errno:
        text = f": {os.strerror(error.errno).lower()}"
    else:
        text = ": the connection failed"
    return SourceError(host + text, transient=transient)


def timed_out(host: str, limit_s: float) -> SourceError:
    """Return the failure of a request that took too long."""
    return SourceError(f"{host} timed out after {span(limit_s)}", transient=True)


def _tls_failed(error: ssl.SSLError, host: str, trusted: Path | None) -> SourceError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _not_trusted(error, host, trusted)
    if error.reason in _NO_TLS:
        return SourceError(
            f"{host} does not speak TLS; is its address http:// and not https://?", transient=True
        )
    why = f" ({error.reason.lower().replace('_', ' ')})" if error.reason else ""
    return SourceError(f"{host}: TLS failed{why}", transient=True)


def _not_trusted(error: ssl.SSLCertVerificationError, host: str, trusted: Path | None) -> SourceError:
    code = error.verify_code
    if code == _EXPIRED:
        advice = "it must be renewed there, unless this machine's clock is wrong"
    elif code == _NOT_YET_VALID:
        advice = "look at this machine's clock"
    elif code in (_WRONG_NAME, _WRONG_ADDRESS):
        advice = "use the host name that the certificate is for"
    else:
        place = f"into {trusted}" if trusted else "to this machine's trusted certificates"
        advice = f"if it is the right one, {'put' if trusted else 'add'} its issuer {place}"
    what = error.verify_message.rstrip(".")
    # A machine without a clock battery boots in the past. That passes once it has synchronized its clock.
    passing = code == _NOT_YET_VALID
    return SourceError(f"{host}: certificate not trusted ({what}); {advice}", transient=passing)
