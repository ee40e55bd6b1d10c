"""The folder of the demo. The demo writes only below it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tallyd.adapters.locks import FileLock, LockedError
from tallyd.config.document import parse_document
from tallyd.config.load import config_of
from tallyd.config.model import Config
from tallyd.config.secrets import SecretFiles
from tallyd.core.language.messages import mark, tr, translated
from tallyd.demo.past.ages import WRITE_EVERY_S
from tallyd.demo.world.http_server import HOST
from tallyd.demo.world.main import config_for
from tallyd.demo.world.people import STATUSES

INBOX = "inbox"
REPORT_EVERY = "10s"
MARKER = ".made-by-tallyd-demo"
"""The demo clears only a folder with this file. It is also the lock: one demo in a folder at a time."""

_OWN_FOLDERS = ("inbox", "log", "out", "state")
_TEMPORARY = ".config.json.tmp"
_OWN_FILES = ("config.json", _TEMPORARY, ".config.json.active", "..config.json.active.[0-9]*.tmp")
"""The config, and what the daemon writes beside it; the last one is left if the daemon was killed."""
_TIMES_A_LINE = 12
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
        """Create the folder, remove what an earlier run wrote, and hold the lock. Raises `DemoError`."""
        with self._usable():
            self._check()
            self.root.mkdir(exist_ok=True)
            lock = self._lock()
        with lock:
            with self._usable():
                self._clear()
                self.inbox.mkdir()
            yield

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
        temporary = self.root / _TEMPORARY
        with self._usable():
            temporary.touch(mode=0o600)
            temporary.write_text(
                _config_text(base_url, tuple(times), zone, cameras_zone or zone, page), "utf-8"
            )
            temporary.replace(self.config)

    def config_of_past(self, zone: str) -> Config:
        """Return the config of the time before the demo: the same pollers, but slower."""
        nobody = f"http://{HOST}:9"  # nobody is asked
        hourly = [f"{hour:02}:00" for hour in range(24)]
        content = config_for(nobody, inbox=INBOX, at=hourly, report_every=_PAST_REPORT_EVERY)
        pollers = content["pollers"]
        pollers["divera"]["fetch_status_names"] = False
        pollers["divera"]["status_names"] = {str(status.id): status.name.strip() for status in STATUSES}
        pollers["servers"]["write_every"] = f"{WRITE_EVERY_S}s"
        document = parse_document(json.dumps({**content, "timezone": zone}).encode(), self.config, mode=0o600)
        return config_of(document, self.config, SecretFiles(self.root.absolute(), {}))

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Turn an OSError into a `DemoError` that says what to do."""
        try:
            yield
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            where = error.filename or f"{self.root}/"
            text = tr(
                "cannot use {where}: {reason}. Run the demo in a folder that you may write to",
                where=where,
                reason=translated(reason),
            )
            raise DemoError(text) from None

    def _lock(self) -> FileLock:
        try:
            return FileLock(self.root / MARKER).take()
        except LockedError as error:
            held = tr("process {pid}", pid=str(error.pid)) if error.pid else tr("another process")
            text = tr(
                "a demo is already running in {folder}/ ({who}); stop it first", folder=self.root, who=held
            )
            raise DemoError(text) from None

    def _check(self) -> None:
        if self.root.is_dir() and any(self.root.iterdir()) and not (self.root / MARKER).is_file():
            text = tr(
                "{folder}/ already exists and was not created by the demo, so nothing was changed; "
                "move it away, or run the demo in another folder",
                folder=self.root,
            )
            raise DemoError(text)
        for path in self._own_folders():
            if path.is_symlink() or not path.is_dir():
                raise _in_the_way(path)
        for path in self._own_files():
            if path.is_dir():
                raise _in_the_way(path)

    def _clear(self) -> None:
        """Remove what a run writes. `_check` has seen all of it before the first one goes."""
        for path in self._own_files():
            path.unlink()
        for path in self._own_folders():
            shutil.rmtree(path)

    def _own_folders(self) -> list[Path]:
        return [path for name in _OWN_FOLDERS if os.path.lexists(path := self.root / name)]

    def _own_files(self) -> list[Path]:
        return [path for name in _OWN_FILES for path in self.root.glob(name)]


def _in_the_way(path: Path) -> DemoError:
    is_what = mark("{path} is not a folder, so nothing was changed; move it away, then run the demo again")
    if path.is_symlink():
        is_what = mark("{path} is a link, so nothing was changed; move it away, then run the demo again")
    elif path.is_dir():
        is_what = mark("{path} is a folder, so nothing was changed; move it away, then run the demo again")
    return DemoError(tr(is_what, path=path))


def _config_text(
    base_url: str, times: tuple[str, ...], zone: str, cameras_zone: str, page: str | None
) -> str:
    """Return the config as JSON, with many times on a line, because there are hundreds."""
    content = config_for(base_url, inbox=INBOX, at=["@"], report_every=REPORT_EVERY)
    content["pollers"]["divera"]["catch_up"] = "1m"
    # Fixed while it runs: the cameras keep the zone of their start.
    content["pollers"]["visitors"]["timezone"] = cameras_zone
    content |= {
        "timezone": zone,
        "http": {"timeout": "5s"},
        # A run fails within the 10 s between two slots. Then it pauses so long that no retry delays the next
        # slot, which replaces the failed one.
        "retry": {"attempts": 3, "first_wait": "1s", "longest_wait": "8s", "give_up_after": "5s"},
        **({"web": {"listen": page, "public_url": f"http://{page}/"}} if page else {}),
    }
    note = tr("tallyd demo writes this file at each start, and adds more times of day while it runs.")
    lines = [
        ", ".join(f'"{time}"' for time in times[start : start + _TIMES_A_LINE])
        for start in range(0, len(times), _TIMES_A_LINE)
    ]
    text = json.dumps({"//": note, **content}, ensure_ascii=False, indent=1)
    return text.replace('"@"', ",\n    ".join(lines)) + "\n"
