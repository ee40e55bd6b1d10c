"""Explains why a request failed. The texts contain no URL, no header value and no body.

Exceptions of requests and urllib3 are neither shown nor chained: their texts contain the URL with the access
key. Only their types, their numbers and the fixed texts of OpenSSL and the system are used.
"""

from __future__ import annotations

import http.client
import os
import re
import socket
import ssl
from pathlib import Path

import requests
import urllib3.exceptions

from tallyd.adapters.http.body import Garbled, TooLarge, UnknownEncoding
from tallyd.adapters.http.ca_store import StoreUnreadable
from tallyd.adapters.http.transport import MalformedHeaders
from tallyd.core.errors import SourceError, causes
from tallyd.core.texts import span

TROUBLE = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    UnicodeError,
    Garbled,
    StoreUnreadable,
    TooLarge,
    UnknownEncoding,
)
"""Everything that the network and the libraries raise because of the other side. Anything else is a bug."""

# Type, text after the host, and whether it is transient. The first match counts, so a subclass must stand
# above its base class.
_KNOWN: tuple[tuple[type[Exception], str, bool], ...] = (
    (Garbled, " sent a body that can't be unpacked", True),
    (UnknownEncoding, " sent a body with an encoding that tallyd did not ask for", False),
    (socket.gaierror, ": its name can't be resolved", True),
    (UnicodeError, ": this is not a valid host name", False),
    (requests.exceptions.InvalidURL, " redirects to an address that can't be read", False),
    (http.client.RemoteDisconnected, " closed the connection without an answer", True),
    (http.client.IncompleteRead, " ended in the middle of its answer", True),
    (http.client.LineTooLong, " sent a header that is too long", True),
    (http.client.BadStatusLine, " answered with something that is not HTTP", True),
    (http.client.UnknownProtocol, " answered in an unknown version of HTTP", True),
    (MalformedHeaders, " sent headers that can't be read", True),
    (http.client.HTTPException, " sent too many headers", True),
    (urllib3.exceptions.InvalidHeader, " contradicts itself about the length of its answer", True),
)
_HANGUPS = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3})\b")
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 9, 10, 62, 64  # X509_V_ERR_... of OpenSSL


def explain(error: Exception, *, host: str, limit_s: float, trusted: Path | None = None) -> SourceError:
    """Return the failure for an exception of requests or of a layer below. Never raises.

    `trusted` is the only file with trusted authorities; None: those of this machine.
    """
    if isinstance(error, TooLarge):
        return SourceError(f"{host} sent more than {error.most_bytes / 1024 / 1024:g} MiB", transient=True)
    chain = tuple(causes(error))
    if any(isinstance(each, urllib3.exceptions.ProxyError) for each in chain):
        host = f"the proxy on the way to {host}"
    for kind, text, transient in _KNOWN:
        if any(isinstance(each, kind) for each in chain):
            return SourceError(host + text, transient=transient)
    for each in chain:
        if isinstance(each, StoreUnreadable):
            return SourceError(f"{host}: {_unreadable(trusted)}", transient=False)
        if isinstance(each, ssl.SSLCertVerificationError):
            return _not_trusted(each, host, trusted)
        if failure := _by_number(each, host, limit_s):
            return failure
    return SourceError(f"{host}: the connection failed", transient=True)


def timed_out(host: str, limit_s: float) -> SourceError:
    """Return the failure of a request that took too long."""
    return SourceError(f"{host} timed out after {span(limit_s)}", transient=True)


def is_hangup(error: Exception) -> bool:
    """Whether the other side closed the connection. It may do so at any time while it is idle."""
    return any(isinstance(each, _HANGUPS) for each in causes(error))


def _by_number(error: BaseException, host: str, limit_s: float) -> SourceError | None:
    """Return the failure for the error number or reason of one exception; None if it has none."""
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return SourceError(
            f"{host} does not speak TLS; is its address http:// and not https://?", transient=True
        )
    if isinstance(error, ssl.SSLError):
        why = f" ({error.reason.lower().replace('_', ' ')})" if error.reason else ""
        return SourceError(f"{host}: TLS failed{why}", transient=True)
    if isinstance(error, OSError) and error.errno:
        return SourceError(f"{host}: {os.strerror(error.errno).lower()}", transient=True)
    if isinstance(error, TimeoutError):
        return timed_out(host, limit_s)
    if isinstance(error, OSError) and (refused := _TUNNEL_REFUSED.match(str(error))):
        return SourceError(f"{host} refused (HTTP {refused[1]})", transient=refused[1] not in ("403", "407"))
    return None


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


def _unreadable(trusted: Path | None) -> str:
    if trusted is None:
        return "this machine's trusted certificates can't be read; install ca-certificates"
    return f"{trusted} can't be read; put the certificate of the authority into it (PEM)"
