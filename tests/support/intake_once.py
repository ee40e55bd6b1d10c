"""Receives one file as the daemon's intake does, then notes that the camera has its answer.

python -m support.intake_once INBOX ANSWERED
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tallyd.web.intake.application import Sender, application

CONTENT = b'[{"ID":1}]' * 20_000
SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "path": "/intake/park/12",
    "query_string": b"",
    "headers": [(b"authorization", b"Bearer gate-12-secret")],
    "client": ("127.0.0.1", 1),
}


async def receive_once(inbox: Path, answered: Path) -> None:
    pieces = [CONTENT[:70_000], CONTENT[70_000:]]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        if message.get("status") == 201:
            answered.touch()

    sender = Sender(inbox=inbox, is_mount=False, source="12", max_bytes=10**6)
    app = application({"park/12": "gate-12-secret"}, {"park/12": sender}.get, now=lambda: datetime.now(UTC))
    await app(SCOPE, receive, send)


if __name__ == "__main__":
    asyncio.run(receive_once(Path(sys.argv[1]), Path(sys.argv[2])))
