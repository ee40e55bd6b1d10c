"""Services that accept messages."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trustme

from support.chatservers import MailServer, WebService, mail_server, web_service
from support.rawserver import RawServer, serving, tunnel
from support.translations import use_translations

__all__ = ["use_translations"]


@pytest.fixture(scope="module")
def web() -> Iterator[WebService]:
    with web_service() as service:
        yield service


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def telegram() -> Iterator[tuple[WebService, Path, RawServer]]:
    """Yield the bots' API, the file with its certificate authority, and a proxy that leads to it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("api.telegram.org").configure_cert(context)
    with (
        authority.cert_pem.tempfile() as ca_file,
        web_service(tls=context) as api,
        serving(partial(tunnel, to=api.port)) as proxy,
    ):
        yield api, Path(ca_file), proxy
