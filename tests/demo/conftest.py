"""A server for what a test makes of the small world."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pytest
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from tallyd.demo.world.http_server import application, serving

Serve: TypeAlias = Callable[[Sequence[BaseRoute]], str]


class _Stage:
    """Answers with the routes of the test that runs now."""

    def __init__(self) -> None:
        self.app: ASGIApp = application([])
        self.base_url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def ask(url: str, content: object = None) -> tuple[int, Any]:
    """Ask an address of the world, with POST if there is content to send; the status and the JSON."""
    place, body = urlsplit(url), None if content is None else json.dumps(content).encode()
    with closing(http.client.HTTPConnection(place.netloc, timeout=10)) as connection:
        connection.request("GET" if body is None else "POST", place.path, body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


@pytest.fixture(scope="module")
def _stage() -> Iterator[_Stage]:
    stage = _Stage()
    with serving([Mount("/", stage)]) as stage.base_url:
        yield stage


@pytest.fixture
def serve(_stage: _Stage) -> Serve:
    """Serve these routes until the end of the test; returns the base URL.

    One server serves a whole module: it takes a quarter of a second to end.
    """

    def served(routes: Sequence[BaseRoute]) -> str:
        _stage.app = application(routes)
        return _stage.base_url

    return served
