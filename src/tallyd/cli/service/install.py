"""`tallyd service install` and `rollback`: the first install, an upgrade, and the way back."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tallyd.cli.service.account import ask_for_config, make_folders, make_user, restore_backup, write_missing
from tallyd.cli.service.places import USER, Places
from tallyd.cli.service.releases import drop_old_releases, new_release, point, put_in_place, release_of
from tallyd.cli.service.system import (
    UNIT,
    ServiceError,
    must,
    need_root,
    quiet_environ,
    run,
    say,
    start_service,
    systemd_runs,
    turn,
)
from tallyd.core.language.messages import tr

_BACKUPS: Final = 3
_ROLLBACK: Final = "sudo tallyd service rollback"


def install(places: Places, *, asks: bool = False, backup: Path | None = None) -> None:
    """Install the tallyd that runs now as the service, or upgrade the service to it. Raises `ServiceError`.

    Whatever fails before the new release is active leaves the old one as it was. `asks`: if there is no
    config, ask what to count. `backup`: on a new machine, begin with what another one has written.
    """
    need_root("install")
    with turn():
        release = new_release(places)
        try:
            _install(places, release, asks=asks, backup=backup)
        finally:
            if release not in (release_of(places, "current"), release_of(places, "previous")):
                shutil.rmtree(places.releases / release)


def _install(places: Places, release: str, *, asks: bool, backup: Path | None) -> None:
    if places.command.exists() and not places.command.is_symlink():
        raise ServiceError(f"{places.command} was not installed like this; move it away first")
    make_user(places)
    make_folders(places)
    if asks and places.config.exists():
        text = tr("{file} already exists and is not changed, so there are no questions.", file=places.config)
        say(text)
        asks = False
    if asks:
        ask_for_config(places, release)
    if backup is not None:
        restore_backup(places, release, backup)
    has_new_config = write_missing(places)
    say(tr("Checking {file} with {release}.", file=places.config, release=release))
    fits = _tallyd(places, release, "check")
    if (old := release_of(places, "current")) is None:
        _first_install(places, release, fits=fits)
        _say_what_is_next(places, asked=asks, has_new_config=has_new_config)
    elif fits:
        _upgrade(places, old, release)
    else:
        raise ServiceError(
            f"{release} rejects the config, see above. Nothing was changed; {old} keeps running"
        )


def roll_back(places: Places) -> None:
    """Switch to the previous release. Raises `ServiceError`."""
    need_root("rollback")
    with turn():
        current, previous = release_of(places, "current"), release_of(places, "previous")
        if current is None or previous is None:
            raise ServiceError("there is no previous version to go back to")
        _switch(places, previous, current)
        point(places, "previous", current)
    say(
        tr(
            "Switched to {release}. {other} is kept; to switch forward: {command}. Backups "
            "of the databases from before each upgrade are in {folder}.",
            release=previous,
            other=current,
            command=_ROLLBACK,
            folder=places.backups,
        )
    )


def _tallyd(places: Places, release: str, *words: str | Path) -> bool:
    """Run a command with the code of a release, as the service would: with its user and its variables."""
    environ = quiet_environ(os.environ, ("PATH", "LANG", "LC_ALL", "LC_MESSAGES"))
    return run(places.releases / release / "tallyd", *words, environ={"LANG": "C.UTF-8", **environ})


def _back_up(places: Places, release: str) -> bool:
    """Make a backup while the daemon runs, if there is anything yet, and keep the last three."""
    if not (places.lib / "state").exists():
        return True
    if not _tallyd(places, release, "backup", places.backups / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.zip"):
        return False
    return run("rm", "-f", "--", *sorted(places.backups.glob("*Z.zip"))[:-_BACKUPS], as_user=True)


def _first_install(places: Places, release: str, *, fits: bool) -> None:
    point(places, "current", release)
    put_in_place(places)
    if systemd_runs():
        must("systemctl", "enable", "--quiet", UNIT)
    if not fits:
        raise ServiceError(
            "installed, but not started: the config has problems, see above. Fix them, then run: "
            "sudo systemctl restart tallyd"
        )
    if not systemd_runs():
        say(
            tr(
                "systemd is not running here, so the service was not started. On a system with systemd: "
                "{command}",
                command="sudo systemctl enable --now tallyd",
            )
        )
    elif not start_service():
        raise ServiceError("installed, but the service did not start, see above")


def _upgrade(places: Places, old: str, new: str) -> None:
    if not _back_up(places, new):
        raise ServiceError(f"could not make a backup, see above. Nothing was changed; {old} keeps running")
    _switch(places, new, old)
    point(places, "previous", old)
    drop_old_releases(places)
    say(tr("Upgraded from {old} to {new}. To go back: {command}", old=old, new=new, command=_ROLLBACK))


def _switch(places: Places, new: str, old: str) -> None:
    """Make a release the current one and start it. If it does not start, switch back to the old one."""
    say(tr("Switching to {release}.", release=new))
    point(places, "current", new)
    put_in_place(places)
    if not systemd_runs() or start_service():
        return
    say(tr("Switching back to {release}.", release=old))
    point(places, "current", old)
    put_in_place(places)
    start_service()
    raise ServiceError(
        f"{new} did not start, so {old} is back. Backups from before each upgrade are in {places.backups}"
    )


def _say_what_is_next(places: Places, *, asked: bool, has_new_config: bool) -> None:
    if asked:
        (poller, *_) = json.loads(places.config.read_bytes())["pollers"]
        say(tr("The first reading of {name}:", name=poller))
        if not run(places.command, "once", poller):
            say(tr("It failed, see above. The service keeps trying: {command}", command="sudo tallyd status"))
        say(
            tr(
                "To see the status: {command}. All keys of the config: docs/config.md",
                command="sudo tallyd status",
            )
        )
    elif has_new_config:
        _say_next_steps(places.etc)
    else:
        say(tr("The service uses the existing config: {file}", file=places.config))


def _say_next_steps(etc: Path) -> None:
    say(tr("Next steps:"))
    say("  1. " + tr("Save the access key: run this, type the key, press Enter, then Ctrl-D."))
    say(f"     sudo install -m 0640 -g {USER} /dev/stdin {etc}/secrets/divera-key")
    say(
        "  2. "
        + tr(
            "Write a config with a poller (or {others}). The file keeps its owner and mode.",
            others="--kind visitors, --kind servers",
        )
    )
    say(f"     sudo sh -c 'tallyd init --kind divera >{etc}/config.json'")
    say("  3. " + tr("Check the config and the source. The service loads the config automatically."))
    say("     sudo tallyd check --online")
