"""TLS to a Dask scheduler: the certificates of Dask's own config, and what is wrong with them."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator

from distributed.security import Security

from tallyd.contract.workers import WorkersError
from tallyd.core.language.messages import english


def security_for(scheduler: str) -> Security:
    """Return what a client needs to connect to this address.

    Raises `WorkersError` if Dask's config does not fit it. A client that was made all the same would wait ten
    seconds for its own end.
    """
    security = Security()
    try:
        found = security.get_connection_args("client")
    except OSError as error:
        what = _reason(error) if isinstance(error, ssl.SSLError) else os.strerror(error.errno or 0).lower()
        why = english("the certificates that Dask's config names cannot be used ({why})", why=what)
        raise WorkersError(english("{address}: {why}", address=scheduler, why=why)) from None
    has_tls = scheduler.startswith("tls://")
    if has_tls and found["ssl_context"] is None:
        why = english("Dask's config names no certificates for clients; see docs/scale.md")
    elif found["require_encryption"] and not has_tls:
        why = english("Dask's config requires TLS; the address must begin with tls://")
    else:
        return security
    raise WorkersError(english("{address}: {why}", address=scheduler, why=why))


def tls_fault(error: BaseException) -> str:
    """Return what is wrong with TLS, if that is why a connection failed; else ""."""
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return english("certificate not trusted ({why})", why=each.verify_message.rstrip("."))
        if isinstance(each, ssl.SSLError):
            # A scheduler that does not trust our certificate says so, or just closes the connection.
            return english("TLS failed[ ({why})]; see the log of the scheduler", why=_reason(each))
    return ""


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "").lower().replace("_", " ")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = getattr(error, "real_error", None) or error.__cause__ or error.__context__
