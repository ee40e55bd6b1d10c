"""`tallyd service allow`: lets the hardened service write to one more folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from tallyd.cli.service.places import USER, Places
from tallyd.cli.service.system import (
    UNIT,
    ServiceError,
    answer,
    need_root,
    run,
    say,
    start_service,
    systemd_runs,
    turn,
)
from tallyd.core.language.messages import tr

_BROAD: Final = frozenset({"/", "/home", "/opt", "/run", "/var", "/var/lib", "/var/log"})
_OF_SYSTEM: Final = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/opt/tallyd", "/proc", "/root", "/run", "/sbin"),
    *("/sys", "/usr", "/var/lib/dpkg", "/var/lib/systemd"),
)
_PRIVATE: Final = ("/tmp", "/var/tmp")  # noqa: S108 # the service has others of its own


def allow(places: Places, named: str) -> None:
    """Let the service write to a folder, and restart it. Raises `ServiceError`."""
    need_root("allow")
    with turn():
        if not places.unit.exists():
            raise ServiceError("the service is not installed")
        if not systemd_runs():
            raise ServiceError("systemd is not running here")
        try:
            folder = Path(named).resolve(strict=True)
        except OSError:
            raise ServiceError(f"{named} does not exist") from None
        if not folder.is_dir():
            raise ServiceError(f"{folder} is not a folder")
        if any(folder.is_relative_to(own) for own in (places.lib, places.log)):
            say(tr("The service may already write to {folder}.", folder=folder))
            return
        if fault := not_allowed(folder):
            raise ServiceError(fault)
        _write(places, folder)
    _say_rights(folder)


def not_allowed(folder: Path) -> str | None:
    """Return why the service must not write to a folder; None: it may."""
    name = str(folder)
    if not name.isprintable():
        return "a unit file cannot contain a path with control characters"
    if name in _BROAD or folder.parent == Path("/home"):
        return f"{folder} is too broad; name only the folder that the service needs"
    elsewhere = "use a folder elsewhere, for example /var/lib/tallyd/inbox"
    if any(folder.is_relative_to(system) for system in _OF_SYSTEM):
        return f"{folder} belongs to the system; {elsewhere}"
    if any(folder.is_relative_to(private) for private in _PRIVATE):
        return f"the service has its own /tmp and cannot see {folder}; {elsewhere}"
    return None


def drop_in(folder: Path, mount: str = "") -> str:
    """Return the change of the unit that lets it write to a folder. `mount` is the unit that mounts it."""
    # Wants, not Requires: without the share, tallyd still starts, and reports that the folder is missing.
    lines = ["[Unit]", f"Wants={mount}", f"After={mount}"] if mount else []
    lines.append("[Service]")
    word = _unit_word(f"-{folder}")  # the dash: a missing folder is an alert, and no reason not to start
    if folder.is_relative_to("/home"):
        # The service cannot see /home. It gets an empty /home that contains only this folder.
        # Not ProtectHome=tmpfs: systemd 252 leaves that writable. If the folder were removed, tallyd would
        # create a new inbox there, into which nobody writes files.
        lines += [
            "ProtectHome=no",
            "TemporaryFileSystem=/home:ro,mode=0755",
            "InaccessiblePaths=-/root -/run/user",
            f"BindPaths={word}",
        ]
    return "\n".join([*lines, f"ReadWritePaths={word}", ""])


def _write(places: Places, folder: Path) -> None:
    file = places.drop_ins / f"allow-{answer('systemd-escape', '--path', folder)}.conf"
    say(tr("Allowing the service to write to {folder}: {file}", folder=folder, file=file))
    places.drop_ins.mkdir(exist_ok=True)
    file.write_text(drop_in(folder, _mount_unit_of(folder)), "utf-8")
    if not start_service():
        undo = f"sudo rm {shlex.quote(str(file))} && sudo systemctl daemon-reload"
        raise ServiceError(f"the service does not start with this setting; to undo it: {undo}")


def _say_rights(folder: Path) -> None:
    """Print the owner and mode of a folder, but change neither. The test runs in the service's own view."""
    owner, group, mode = answer("stat", "-c", "%U %G %a", "--", folder).split(" ")
    say(
        tr(
            "{folder} belongs to {owner}, group {group}, mode {mode}.",
            folder=folder,
            owner=owner,
            group=group,
            mode=mode,
        )
    )
    pid = answer("systemctl", "show", "--property=MainPID", "--value", UNIT)
    as_service = (
        "nsenter",
        "--target",
        pid,
        "--mount",
        "--",
        "setpriv",
        f"--reuid={USER}",
        f"--regid={USER}",
    )
    if not run(*as_service, "--init-groups", "--", "test", "-w", folder, "-a", "-x", folder):
        quoted = shlex.quote(str(folder))
        give = f"sudo chgrp {USER} {quoted} && sudo chmod g+rwxs {quoted}"
        say(
            tr(
                "The user {name} cannot write to it yet. To give it to the group: {command}",
                name=USER,
                command=give,
            )
        )


def _unit_word(text: str) -> str:
    """Return a text as one word of a unit file: quoted, with escapes and specifiers disabled."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _mount_unit_of(folder: Path) -> str:
    """Return the mount unit of the file system of a folder; "" if there is none."""
    for each in (folder, *folder.parents[:-1]):
        unit = answer("systemd-escape", "--path", "--suffix=mount", each)
        if answer("systemctl", "show", "--property=LoadState", "--value", unit) == "loaded":
            return unit
    return ""
