"""Services that accept messages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.chatservers import MailServer, WebService, mail_server, web_service
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
