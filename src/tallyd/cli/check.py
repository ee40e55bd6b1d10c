"""`tallyd check`: every problem of the config at once; when it is fine, what will happen when."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

from tallyd.cli.shared import channels, dry_outside, load_config, probe_toolbox, utc_now
from tallyd.config import Config
from tallyd.config_folders import DATA_FOLDER, INSTALLED, LOG_FOLDER
from tallyd.config_problems import place_of
from tallyd.console import complain, say, show_table
from tallyd.contract import Found
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, DeliveryError, RecordsError, SourceError
from tallyd.core.redaction import Redactor
from tallyd.core.timetable import next_slots
from tallyd.tasks import Task, tasks_of

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs"}
)
RUNS_SHOWN = 3
_HEADINGS = {
    "divera": ("id", "name", "count"),
    "visitors": ("source", "label", "in today"),
    "servers": ("target", "state"),
}
"""What a source was found to have, by kind."""
DROP_INS = Path("/etc/systemd/system/tallyd.service.d")
"""Where `setup.sh allow` writes what the service may write besides; docs/install.md says what is where."""


def check(path: Path, *, online: bool) -> int:
    """Check a config; return the exit status. Raises `ConfigError`."""
    config = load_config(path, lenient=not online, closely=True)
    say(f"{config.path} is fine.", style="fine")
    source = "timezone in the config" if config.settings.timezone else "this machine's"
    say(f"Time zone: {config.zone} ({source})")
    _show_runs(config)
    for note in (*config.notes, *_notes(config)):
        say(f"Note: {note}", style="warning")
    if not online:
        return EXIT_OK
    return max(_ask_sources(config), _try_channels(config))


def _show_runs(config: Config) -> None:
    now, rows = utc_now(), []
    for task in tasks_of(config):
        for at in next_slots(task.job.when, task.zone, after=now, count=RUNS_SHOWN):
            local = at.astimezone(task.zone)
            rows.append((task.poller, task.job.name, f"{local:%a %Y-%m-%d %H:%M:%S}", f"{task.zone}"))
    if rows:
        say("Next runs:")
        show_table(("poller", "job", "at", "zone"), rows)
    if not config.settings.pollers:
        say('No poller is configured yet: add one under "pollers" (tallyd init shows one).')


def _notes(config: Config) -> list[str]:
    notes = []
    kind = _file_system(config.state_dir, Path("/proc/self/mounts"))
    if kind in NETWORK_FILE_SYSTEMS:
        notes.append(
            f"state.dir {config.state_dir} is on a network file system ({kind}); put it on a local disk"
        )
    for key, folder in (
        ("out.dir", config.out_dir),
        ("log.dir", config.log_dir),
        ("state.dir", config.state_dir),
    ):
        # Not Path.exists, which fails below a folder that may not be entered: that folder is to be named.
        existing = next(one for one in (folder, *folder.parents) if os.path.exists(one))  # noqa: PTH110 # see above
        if not os.access(existing, os.W_OK | os.X_OK):
            notes.append(
                f"{key}: {existing} may not be written by this user; the service's user must be able to"
            )
    if config.path == INSTALLED:
        notes += _closed_inboxes(config)
    return notes


def _closed_inboxes(config: Config) -> list[str]:
    """Return a note for each inbox that the hardened service was not given, and so may not write."""
    open_folders = [DATA_FOLDER, LOG_FOLDER, *_allowed(DROP_INS)]
    return [
        f"{place_of(('pollers', name, 'inbox'))}: the service may not write {inbox} yet: "
        f"sudo sh setup.sh allow {shlex.quote(str(inbox))}"
        for name, inbox in config.inboxes.items()
        if not any(inbox.is_relative_to(folder) for folder in open_folders)
    ]


def _allowed(drop_ins: Path) -> list[Path]:
    """Return the folders that `setup.sh allow` has opened for the service."""
    found = []
    for file in drop_ins.glob("*.conf"):
        for line in file.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("ReadWritePaths="):
                word = line.removeprefix("ReadWritePaths=").strip().removeprefix('"').removesuffix('"')
                plain = word.removeprefix("-").replace('\\"', '"').replace("\\\\", "\\").replace("%%", "%")
                found.append(Path(plain))
    return found


def _file_system(folder: Path, mounts: Path) -> str:
    """Return the type of the file system that a folder is on, by the longest mount point above it."""
    best, kind = "", ""
    try:
        lines = mounts.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""  # not Linux; nothing is said rather than something guessed
    for line in lines:
        _, point, type_, *_ = line.split(" ")
        point = point.encode().decode("unicode_escape")  # a space stands as \040
        if folder.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, type_
    return kind


def _ask_sources(config: Config) -> int:
    """Ask each poller's source once, changing nothing; 1 when one does not answer as it should."""
    status = EXIT_OK
    first_jobs = {task.poller: task for task in reversed(tasks_of(config))}
    for task in reversed(first_jobs.values()):
        try:
            with dry_outside(config) as reach, probe_toolbox(config, task, reach) as tools:
                found = task.source.probe(tools)
        except (SourceError, RecordsError) as failure:
            complain(f"{task.poller}: {failure.text}")
            status = EXIT_PROBLEM
        else:
            _show_found(task, found)
            if not all(one.is_fine for one in found):
                status = EXIT_PROBLEM
    return status


def _try_channels(config: Config) -> int:
    """Try each channel, sending nothing; 1 when one does not answer as it should."""
    status = EXIT_OK
    sender = channels(config, Redactor(config.secrets).redact)
    if config.settings.channels:
        say()
    for name, url in config.settings.channels.items():
        try:
            say(f"channel {name}: {sender.probe(url.reveal())}", style="fine")
        except DeliveryError as error:
            complain(f"channel {name}: {error.text}")
            status = EXIT_PROBLEM
    return status


def _show_found(task: Task, found: tuple[Found, ...]) -> None:
    say()
    bad = sum(not one.is_fine for one in found)
    if bad:
        complain(f"{task.poller}: {bad} of {len(found)} do not answer as they should")
    else:
        say(f"{task.poller}: the source answers", style="fine")
    kind = task.source.kind
    headings = _HEADINGS[kind]
    rows = [(one.id, one.name, "hidden" if one.count is None else str(one.count)) for one in found]
    show_table(headings, [row[: len(headings)] for row in rows], right=frozenset({2}))
    names = {one.id: one.name for one in found if one.name is not None}
    if names and kind == "divera":
        say("Names, to be pasted into the config:")
        say('"status_names": ' + json.dumps(names, ensure_ascii=False))
