"""The folder of the demo. The demo writes only below it, and touches no other files there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path

from tallyd.adapters.locks import FileLock, LockedError
from tallyd.config.document import parse_document
from tallyd.config.model import Config, config_of
from tallyd.config.secrets import SecretFiles
from tallyd.core.reading import Json
from tallyd.demo.past.ages import WRITE_EVERY_S
from tallyd.demo.world import cameras, chat, divera, servers, upstream
from tallyd.demo.world.http_server import HOST
from tallyd.demo.world.main import NAME
from tallyd.demo.world.people import STATUSES

INBOX = "inbox"
REPORT_EVERY = "10s"
MARKER = ".made-by-tallyd-demo"
"""The demo clears only a folder with this file. It is also the lock: one demo in a folder at a time."""

_A_TIME = "[0-9]" * 14
_OWN = (
    "config.json",
    ".config.json.tmp",
    ".config.json.active",
    "..config.json.active.*.tmp",
    "secrets/divera-key",
    "secrets/chat-webhook",
    "log/tallyd.log",
    "log/tallyd.log.*",
    "out/*/latest.json",
    "out/*/.latest.json.*tmp",
    "out/*/????-??/????-??-??T*.json",
    "out/*/????-??/.????-??-??T*.json.*tmp",
    "state/lock",
    "state/locks/*.lock",
    "state/state.db*",
    "state/records.db*",
    f"{INBOX}/*/{_A_TIME}.json",
    f"{INBOX}/.tallyd/lock",
    f"{INBOX}/.tallyd/done/????-??-??/*/{_A_TIME}*.json",
    f"{INBOX}/.tallyd/rejected/*/{_A_TIME}*.json",
    f"{INBOX}/.tallyd/rejected/*/.{_A_TIME}*.json.tmp",
)
"""What the demo and its daemon write. Files and folders with other names stay."""
_TIMES_A_LINE = 12
_KEY, _CHAT = "file:secrets/divera-key", "file:secrets/chat-webhook"
_PAST_REPORT_EVERY = "3h"


class DemoError(Exception):
    """The demo cannot continue; the text says why and what to do."""


class DemoFolder:
    """`demo-data/`, fresh for each run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "config.json"
        self.out = root / "out"
        self.inbox = root / INBOX

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Create the folder, remove the files of an earlier run, and hold the lock. Raises `DemoError`."""
        with self._usable():
            self._check()
            self.root.mkdir(exist_ok=True)
            lock = self._lock()
        with lock:
            with self._usable():
                self._clear()
            yield

    def make_inbox(self) -> None:
        """Create the folder for the files of the cameras. Raises `DemoError`."""
        with self._usable():
            self.inbox.mkdir(exist_ok=True)

    def write_config(
        self,
        base_url: str,
        *,
        times: Iterable[str],
        zone: str,
        cameras_zone: str | None = None,
        page: str | None = None,
    ) -> None:
        """Write the config atomically. It counts the Divera of the world at `times`, and notifies its chat.

        `cameras_zone` is the zone of the times in the cameras' files; None: `zone`. `page` is the address and
        port of the page; None: no page. Raises `DemoError`.
        """
        temporary = self.root / ".config.json.tmp"
        with self._usable():
            self._write_secret("divera-key", divera.KEY)
            self._write_secret("chat-webhook", chat.webhook(base_url))
            text = _config_text(base_url, tuple(times), zone, cameras_zone or zone, page)
            temporary.write_text(text, "utf-8")
            temporary.replace(self.config)

    def config_of_past(self, zone: str) -> Config:
        """Return the config of the time before the demo: the same pollers, but slower."""
        path = self.root / "config.json"
        content = {**_top(zone), "pollers": _pollers_of_past(zone)}
        document = parse_document(json.dumps(content).encode(), path, mode=0o600)
        folder = self.root.absolute()
        unwritten = {
            folder / _KEY.removeprefix("file:"): divera.KEY,
            folder / _CHAT.removeprefix("file:"): chat.webhook(f"http://{HOST}:9"),
        }
        return config_of(document, path, SecretFiles(folder, {}, unwritten=unwritten))

    def _write_secret(self, name: str, value: str) -> None:
        secret = self.root / "secrets" / name
        if not secret.exists():
            secret.parent.mkdir(mode=0o700, exist_ok=True)
            secret.touch(mode=0o600)
            secret.write_text(f"{value}\n", "utf-8")

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Turn an OSError into a `DemoError` that says what to do."""
        try:
            yield
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            where = error.filename or f"{self.root}/"
            raise DemoError(
                f"cannot use {where}: {reason}. Run the demo in a folder that you may write to"
            ) from None

    def _lock(self) -> FileLock:
        try:
            return FileLock(self.root / MARKER).take()
        except LockedError as error:
            held = f"process {error.pid}" if error.pid else "another process"
            raise DemoError(f"a demo is already running in {self.root}/ ({held}); stop it first") from None

    def _check(self) -> None:
        if self.root.is_dir() and any(self.root.iterdir()) and not (self.root / MARKER).is_file():
            raise DemoError(
                f"{self.root}/ already exists and was not created by the demo, so nothing was changed; "
                "move it away, or run the demo in another folder"
            )

    def _clear(self) -> None:
        # os.walk does not follow links to folders, and a link to a file is only unlinked.
        for name, _folders, files in os.walk(self.root, topdown=False):
            folder = Path(name).relative_to(self.root)
            for file in files:
                if any(_fits(folder / file, pattern) for pattern in _OWN):
                    (self.root / folder / file).unlink()
            if any(_fits(folder, str(parent)) for pattern in _OWN for parent in Path(pattern).parents[:-1]):
                with suppress(OSError):  # not empty: something of the user's is in it
                    (self.root / folder).rmdir()


def _fits(path: Path, pattern: str) -> bool:
    """Whether each part of a relative path matches its part of the pattern."""
    wanted = pattern.split("/")
    return len(wanted) == len(path.parts) and all(map(fnmatchcase, path.parts, wanted))


def _config_text(
    base_url: str, times: tuple[str, ...], zone: str, cameras_zone: str, page: str | None
) -> str:
    """Return the config as JSON, with many times on a line, because there are hundreds."""
    content: dict[str, Json] = {
        "//": "tallyd demo writes this file at each start, and adds more times of day while it runs.",
        **_top(zone),
        **({"web": {"listen": page, "public_url": f"http://{page}/"}} if page else {}),
        "pollers": {**_pollers(base_url, cameras_zone)},
    }
    lines = [
        ", ".join(f'"{time}"' for time in times[start : start + _TIMES_A_LINE])
        for start in range(0, len(times), _TIMES_A_LINE)
    ]
    return json.dumps(content, ensure_ascii=False, indent=1).replace('"@"', ",\n    ".join(lines)) + "\n"


def _top(zone: str) -> dict[str, Json]:
    return {
        "name": NAME,
        "timezone": zone,
        "http": {"timeout": "5s"},
        # A run fails within the 10 s between two slots. Then it pauses so long that no retry delays the next
        # slot, which replaces the failed one.
        "retry": {"attempts": 3, "first_wait": "1s", "longest_wait": "8s", "give_up_after": "5s"},
        "channels": {chat.CHANNEL: _CHAT},
        "alerts": chat.alerts(),
    }


def _pollers(base_url: str, cameras_zone: str) -> dict[str, dict[str, Json]]:
    return {
        "divera": {
            **divera.poller(base_url),
            "accesskey": _KEY,
            "catch_up": "1m",
            "at": ["@"],
        },
        "visitors": {
            **cameras.poller(INBOX),
            # Fixed while it runs: the cameras keep the zone of their start.
            "timezone": cameras_zone,
            "report": upstream.report(base_url, every=REPORT_EVERY),
        },
        "servers": servers.poller(base_url),
    }


def _pollers_of_past(zone: str) -> dict[str, Json]:
    """Return the pollers as they ran before the demo: they counted by the hour."""
    before = f"http://{HOST}:9"  # nobody is asked
    pollers = _pollers(before, zone)
    return {
        "divera": {
            **pollers["divera"],
            "fetch_status_names": False,
            "status_names": {str(status.id): status.name.strip() for status in STATUSES},
            "at": [f"{hour:02}:00" for hour in range(24)],
        },
        "visitors": {**pollers["visitors"], "report": upstream.report(before, every=_PAST_REPORT_EVERY)},
        "servers": {**pollers["servers"], "write_every": f"{WRITE_EVERY_S}s"},
    }
