"""Sends requests to the small world, from the process that shows the demo."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from tallyd.core.reading import Json

_WITHIN_S = 2.0


class Client:
    """Sends requests on loopback, without a proxy. A result of None: no answer, or an error."""

    def __init__(self, base_url: str) -> None:
        self._place = urlsplit(base_url).netloc

    def get(self, path: str) -> dict[str, Any] | None:
        """Return the JSON object at a path."""
        return self._asked("GET", path, None)

    def post(self, path: str, content: Json) -> dict[str, Any] | None:
        """Send JSON and return the answer."""
        return self._asked("POST", path, json.dumps(content).encode())

    def _asked(self, method: str, path: str, body: bytes | None) -> dict[str, Any] | None:
        with closing(http.client.HTTPConnection(self._place, timeout=_WITHIN_S)) as connection:
            try:
                connection.request(method, path, body)
                answer = connection.getresponse()
                content = json.loads(answer.read())
            except (OSError, http.client.HTTPException, ValueError):
                return None
        return content if answer.status == http.client.OK and isinstance(content, dict) else None
