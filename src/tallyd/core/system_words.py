"""What the system, SQLite and OpenSSL say when something fails, for those who read another language.

Their words are parts of stored reasons. The catalogs have them because they stand here; other words of theirs
stay English.
"""

from __future__ import annotations

from typing import Final

from tallyd.core.language.messages import mark, mark_english


def reason_of(error: OSError) -> str:
    """Return why the system refused something, without the path: `no space left on device`."""
    return (error.strerror or type(error).__name__).lower()


OF_SYSTEM: Final = frozenset(
    {
        mark("address already in use"),
        mark("broken pipe"),
        mark("cannot allocate memory"),
        mark("cannot assign requested address"),
        mark("connection refused"),
        mark("connection reset by peer"),
        mark("connection timed out"),
        mark("device or resource busy"),
        mark("directory not empty"),
        mark("disk quota exceeded"),
        mark("file exists"),
        mark("file name too long"),
        mark("file too large"),
        mark("host is down"),
        mark("input/output error"),
        mark("invalid argument"),
        mark("invalid cross-device link"),
        mark("is a directory"),
        mark("network is down"),
        mark("network is unreachable"),
        mark("no route to host"),
        mark("no space left on device"),
        mark("no such device"),
        mark("no such device or address"),
        mark("no such file or directory"),
        mark("not a directory"),
        mark("operation not permitted"),
        mark("operation not supported"),
        mark("permission denied"),
        mark("protocol error"),
        mark("read-only file system"),
        mark("remote i/o error"),
        mark("required key not available"),
        mark("resource temporarily unavailable"),
        mark("software caused connection abort"),
        mark("stale file handle"),
        mark("structure needs cleaning"),
        mark("too many levels of symbolic links"),
        mark("too many open files"),
        mark("too many open files in system"),
        mark("transport endpoint is not connected"),
    }
)
"""Texts of `os.strerror` in lower case."""

OF_SQLITE: Final = frozenset(
    {
        mark("attempt to write a readonly database"),
        mark("database disk image is malformed"),
        mark("database is locked"),
        mark("database or disk is full"),
        mark("disk I/O error"),
        mark("file is not a database"),
        mark("out of memory"),
        mark("unable to open database file"),
        mark_english("no such column: {name}"),
        mark_english("no such table: {name}"),
    }
)

OF_CERTIFICATES: Final = frozenset(
    {
        mark("CA certificate key too weak"),
        mark("EE certificate key too weak"),
        mark("certificate has expired"),
        mark("certificate is not yet valid"),
        mark("certificate revoked"),
        mark("certificate signature failure"),
        mark("invalid CA certificate"),
        mark("self signed certificate"),
        mark("self signed certificate in certificate chain"),
        mark("self-signed certificate"),
        mark("self-signed certificate in certificate chain"),
        mark("unable to get issuer certificate"),
        mark("unable to get local issuer certificate"),
        mark("unable to verify the first certificate"),
        mark("unsuitable certificate purpose"),
        mark("unsupported certificate purpose"),
        mark_english("Hostname mismatch, certificate is not valid for '{name}'"),
        mark_english("IP address mismatch, certificate is not valid for '{name}'"),
    }
)
"""What OpenSSL finds wrong with a certificate, without the full stop."""

OF_TLS: Final = frozenset(
    {
        mark("dh key too small"),
        mark("ee key too small"),
        mark("no protocols available"),
        mark("ssl/tls alert bad certificate"),
        mark("ssl/tls alert handshake failure"),
        mark("sslv3 alert bad certificate"),
        mark("sslv3 alert handshake failure"),
        mark("tlsv1 alert access denied"),
        mark("tlsv1 alert internal error"),
        mark("tlsv1 alert protocol version"),
        mark("tlsv1 alert unknown ca"),
        mark("tlsv1 unrecognized name"),
        mark("tlsv13 alert certificate required"),
        mark("unexpected eof while reading"),
        mark("unsupported protocol"),
        mark("wrong signature type"),
    }
)
"""Reasons of OpenSSL in lower case, with spaces: why a connection has no TLS."""
