"""The user of the service, its folders, and the first files in them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import IO, Any

from tallyd.cli.service.places import USER, Places
from tallyd.cli.service.system import ServiceError, answer, exists, must, quiet_environ, run, say
from tallyd.config.folders import installed_folders
from tallyd.core.language.languages import language
from tallyd.core.language.messages import tr

_ENV = (
    '# One NAME=value per line, for secrets that the config names as "env:NAME". '
    "After a change: sudo systemctl restart tallyd\n"
)


def make_user(places: Places) -> None:
    """Create the user and the group; who used sudo joins the group."""
    if not exists("group", USER):
        say(tr("Creating the group {name}.", name=USER))
        must("groupadd", "--system", USER)
    if not exists("passwd", USER):
        say(tr("Creating the user {name}, who cannot log in.", name=USER))
        home = ("--home-dir", places.lib, "--no-create-home", "--shell", "/usr/sbin/nologin")
        must("useradd", "--system", "--gid", USER, *home, "--comment", "tallyd daemon", USER)
    admin = os.environ.get("SUDO_USER") or "root"
    if admin != "root" and USER not in answer("id", "-nG", admin).split():
        say(
            tr(
                "Adding {name} to the group {group}, which may read the config, the data and the log. "
                "Log in again for this to take effect.",
                name=admin,
                group=USER,
            )
        )
        must("usermod", "--append", "--groups", USER, admin)


def make_folders(places: Places) -> None:
    """Create the folders of the service with their owners and modes."""
    say(
        tr(
            "Creating {config}, {data} and {log} if they are missing.",
            config=places.etc,
            data=places.lib,
            log=places.log,
        )
    )
    for owner, folders in (("root", (places.etc, places.etc / "secrets")), (USER, (places.lib, places.log))):
        must("install", "-d", "-m", "0750", "-o", owner, "-g", USER, *folders)
    # As the user, who may have put a link there: root would change the owner of what it points to.
    if not run("mkdir", "-p", "-m", "0750", places.backups, as_user=True):
        raise ServiceError(f"could not create {places.backups}, see above")


def first_config() -> dict[str, Any]:
    """Return a config that works, and counts nothing yet."""
    return {
        "//": "All keys: docs/config.md. Example with a poller: sudo tallyd init --kind divera. "
        "Check this file: sudo tallyd check",
        "language": language(),
        **installed_folders(),
        "pollers": {},
    }


def write_missing(places: Places) -> bool:
    """Write the config and the file of variables if they are missing; return whether the config was."""
    had_config = os.path.lexists(places.config)
    config = json.dumps(first_config(), indent=2) + "\n"
    for file, content in ((places.config, config), (places.etc / "env", _ENV)):
        if not os.path.lexists(file):
            say(tr("Writing {file}.", file=file))
            new = file.with_name(f"{file.name}.new")
            new.write_text(content, "utf-8")
            shutil.chown(new, "root", USER)
            new.chmod(0o640)
            new.rename(file)
    return not had_config


def ask_for_config(places: Places, release: str) -> None:
    """Ask for a config with the code of a release. Raises `ServiceError`."""
    if not _write_config(places, release, "init", "--ask"):
        raise ServiceError("the questions were not answered, so nothing was installed")


def restore_backup(places: Places, release: str, backup: Path) -> None:
    """Restore a backup with the code of a release; only root must be able to read it.

    Raises `ServiceError`.
    """
    if places.config.exists():
        raise ServiceError(
            f"{places.config} exists, so this is no new machine. To restore beside it: "
            f"sudo tallyd restore - <{shlex.quote(str(backup))}"
        )
    with backup.open("rb") as content:
        if not _write_config(places, release, "restore", "-", stdin=content):
            raise ServiceError("the backup was not restored, see above, so nothing was installed")


def _write_config(places: Places, release: str, *words: str, stdin: IO[bytes] | None = None) -> bool:
    """Let a command write a config as the user of the service, put it into place; return whether it did."""
    with tempfile.TemporaryDirectory(dir="/run", prefix="tallyd-config.") as folder:
        shutil.chown(folder, USER, USER)
        environ = quiet_environ(os.environ, ("PATH", "LANG", "LC_ALL", "LC_MESSAGES", "TERM"))
        command = (places.releases / release / "venv/bin/tallyd", "--config", places.config)
        if not run(
            *command,
            *words,
            "--into",
            folder,
            as_user=True,
            environ={**environ, "HOME": str(places.lib)},
            stdin=stdin,
        ):
            return False
        put_config(Path(folder), places.etc)
        return True


def put_config(folder: Path, etc: Path) -> None:
    """Put secrets, and then the config, into place: owned by root, and readable for the service.

    Links are left out: the user of the service made the folder, and must not get to read what they point to.
    """
    found = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    for file in sorted(found, reverse=True):
        target = etc / file.relative_to(folder)
        must("install", "-d", "-m", "0750", "-o", "root", "-g", USER, target.parent)
        must("install", "-m", "0640", "-o", "root", "-g", USER, file, target)
