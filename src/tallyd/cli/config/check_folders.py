"""The checks of `check` for folders: whether tallyd can write them where it will run."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from tallyd.config.folders import DATA_FOLDER, INSTALLED, LOG_FOLDER, sqlite_file
from tallyd.config.model import Config
from tallyd.config.problems import place_of
from tallyd.core.errors import ConfigProblem
from tallyd.core.inbox_spec import InboxNeeded
from tallyd.core.language.messages import tr
from tallyd.core.system_words import reason_of

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs"}
)
SERVICE_USER = "tallyd"
DROP_INS = Path("/etc/systemd/system/tallyd.service.d")
"""Where `tallyd service allow` writes which other folders the service may write; see docs/install.md."""


def service_folders(config: Config) -> tuple[Path, ...] | None:
    """Return the only folders that the hardened service may write; None: this is not the service's config."""
    if config.path != INSTALLED:
        return None
    return (DATA_FOLDER, LOG_FOLDER, *allowed_folders(DROP_INS))


def runs_as_this_user(config: Config) -> bool:
    """Whether the user of this process is the one that tallyd will run as."""
    if config.path != INSTALLED:
        return True
    try:
        return pwd.getpwnam(SERVICE_USER).pw_uid == os.geteuid()
    except KeyError:
        return False


def folder_problems(
    config: Config, *, only: Sequence[Path] | None, tries: bool = True
) -> tuple[ConfigProblem, ...]:
    """Return a problem for each folder that tallyd can neither write nor create.

    `only` are the folders that a hardened service may write, with everything below them; None: no such limit.
    `tries`: tallyd will run as this user, so a folder that this user may not write is a problem.
    """
    found = []
    for place, folder in _written(config):
        fault = _closed(folder, only)
        if fault is None and tries and not _is_seen_by_service_alone(folder, only):
            fault = _fault(folder)
        if fault is not None:
            found.append(ConfigProblem(place, fault))
    return tuple(found)


def folder_notes(config: Config) -> list[str]:
    """Return notes about the folders that are not problems."""
    notes = []
    kind = file_system(config.state_dir, Path("/proc/self/mounts"))
    if kind in NETWORK_FILE_SYSTEMS:
        note = tr(
            "state.dir {folder} is on a network file system ({kind}); put it on a local disk",
            folder=config.state_dir,
            kind=kind,
        )
        notes.append(note)
    if not runs_as_this_user(config):
        note = tr(
            "did not check whether the service can write its folders: it runs as {user}. "
            "Run: sudo tallyd check",
            user=SERVICE_USER,
        )
        notes.append(note)
    return notes


def _written(config: Config) -> Iterator[tuple[str, Path]]:
    """Yield each folder that tallyd writes or creates, with its place in the config."""
    if not os.path.exists(config.data_dir):  # noqa: PTH110 # Path.exists fails below a folder that we may not enter
        yield "data_dir", config.data_dir
    yield from (("out.dir", config.out_dir), ("log.dir", config.log_dir), ("state.dir", config.state_dir))
    yield from config.report_dirs.items()
    pollers = config.settings.pollers
    records = sqlite_file(config.database_url)
    if records is not None and any(each.needs_records for each in pollers.values()):
        yield "database.url", records.parent
    for name, inbox in config.inboxes.items():
        needed = pollers[name].inbox_needed(name)
        if not _is_away(inbox, needed):
            yield place_of(("pollers", name, "inbox")), inbox


def _is_away(inbox: Path, needed: InboxNeeded | None) -> bool:
    """Whether the share of an inbox is not available now. That is an alert, not a problem of the config."""
    if needed is not None and needed.is_mount and not os.path.ismount(inbox):
        return True
    try:
        inbox.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    except OSError:  # stale, no answer, I/O error
        return True
    return False


def _closed(folder: Path, only: Sequence[Path] | None) -> str | None:
    if only is None or _is_in(folder, only):
        return None
    text = f"the service may not write {folder}; choose a folder below {DATA_FOLDER}"
    if folder.is_relative_to("/etc"):
        return text
    return f"{text}, or run: sudo tallyd service allow {shlex.quote(str(folder))}"


def _is_seen_by_service_alone(folder: Path, only: Sequence[Path] | None) -> bool:
    """Whether a folder is in a home. `tallyd service allow` makes it visible only to the service."""
    return only is not None and folder.is_relative_to("/home")


def _is_in(folder: Path, others: Sequence[Path]) -> bool:
    return any(folder.is_relative_to(other) for other in others)


def _fault(folder: Path) -> str | None:
    """Return why this user can neither write nor create a folder; None: it can."""
    for one in (folder, *folder.parents):
        try:
            mode = one.stat().st_mode
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # the missing or closed folder is further up
        except OSError as error:
            return f"cannot check {one}: {reason_of(error)}"
        if not stat.S_ISDIR(mode):
            return f"{one} is not a folder; choose another path"
        if os.access(one, os.W_OK | os.X_OK, effective_ids=True):
            return None
        what = "" if one == folder else f"cannot create {folder}: "
        quoted = shlex.quote(str(one))
        return f"{what}this user may not write {one}. Check its owner and its disk: ls -ld {quoted}"
    return None


def allowed_folders(drop_ins: Path) -> list[Path]:
    """Return the folders that `tallyd service allow`, or another drop-in, lets the service write."""
    found = []
    for file in sorted(drop_ins.glob("*.conf")):
        for line in file.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("ReadWritePaths="):
                words = shlex.split(line.removeprefix("ReadWritePaths="))
                found += [Path(word.lstrip("-+").replace("%%", "%")) for word in words]
    return found


def file_system(folder: Path, mounts: Path) -> str:
    """Return the type of a folder's file system, from the longest mount point above it."""
    best, kind = "", ""
    try:
        lines = mounts.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""  # not Linux: unknown
    for line in lines:
        _, point, type_, *_ = line.split(" ")
        point = point.encode().decode("unicode_escape")  # a space is written as \040
        if folder.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, type_
    return kind
