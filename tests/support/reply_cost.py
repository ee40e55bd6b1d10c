"""What an answer costs the process that asks for it: `python -m support.reply_cost URL READER`.

Prints JSON: `reason`, why the answer was refused (null: it was not); `grew_bytes`, how far the peak of memory
rose; `held_s`, for how long at most the interpreter worked without letting another thread run, in seconds of
the processor, so that a busy machine makes no difference.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from support.asking import get
from tallyd.adapters.http.client import HttpClient
from tallyd.core.errors import SourceError
from tallyd.core.json_reply import Unreadable, parse
from tallyd.pollers.divera.parse import read_monitor, read_names, read_users
from tallyd.pollers.divera.personal_data import texts_of_pull
from tallyd.pollers.servers.sources.extraction import MOST_VALUES, JsonField
from tallyd.pollers.visitors.report.upstream import answer_field

READERS: dict[str, Callable[[bytes], object]] = {
    "users": read_users,
    "monitor": partial(read_monitor, qualifications=True),
    "names": read_names,
    "people": texts_of_pull,
    "server": lambda body: JsonField("computed_time").of(parse(body, most_values=MOST_VALUES)),
    "upstream": partial(answer_field, field="Desc"),
}
TICK_S = 0.01


class Ticker:
    """A thread that wants to run every 10 ms; `held_s` is the most work between two of its turns."""

    def __init__(self) -> None:
        self.held_s = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick)

    def __enter__(self) -> Ticker:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _tick(self) -> None:
        before = time.process_time()
        while not self._ended.wait(TICK_S):
            now = time.process_time()
            self.held_s, before = max(self.held_s, now - before), now


def main(url: str, reader: str) -> None:
    with Ticker() as ticker:
        before = _peak_bytes()
        reason = _asked(url, READERS[reader])
        grew_bytes = _peak_bytes() - before
    sys.stdout.write(json.dumps({"reason": reason, "grew_bytes": grew_bytes, "held_s": ticker.held_s}))


def _asked(url: str, read: Callable[[bytes], object]) -> str | None:
    client = HttpClient(user_agent="tallyd/1", timeout_s=60.0)
    try:
        found = read(get(client, url).body)
    except (SourceError, Unreadable) as refused:
        return str(refused)
    else:
        del found
        return None
    finally:
        client.close()


def _peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (peak,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
