"""`tallyd service uninstall`, and as a program for setup.sh. Needs only the standard library."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tallyd.cli.service.places import SHARED, USER, Places
from tallyd.cli.service.system import (
    UNIT,
    ServiceError,
    exists,
    must,
    need_root,
    run,
    say,
    systemd_runs,
    turn,
)
from tallyd.core.language.languages import language_of_locale, reading_in
from tallyd.core.language.messages import tr


def uninstall(places: Places, *, purges: bool) -> None:
    """Remove the service; `purges`: also its config, its data, its log and its user.

    Raises `ServiceError`; then nothing was changed.
    """
    need_root("uninstall")
    with turn():
        if purges and (reason := _why_not_purge(places)):
            raise ServiceError(f"{reason}; nothing was changed")
        if places.unit.exists() and systemd_runs():
            say(tr("Stopping the service."))
            must("systemctl", "disable", "--now", "--quiet", UNIT)
        # What is said is said before the code that says it is removed.
        say(
            tr(
                "Removing {unit}, {program} and {folder}.",
                unit=places.unit,
                program=places.command,
                folder=places.opt,
            )
        )
        if purges:
            _purge(places)
        else:
            _say_what_is_kept(places)
        _remove(places)


def _remove(places: Places) -> None:
    for link in (places.command, *(places.share / each for each in SHARED)):
        if link.is_symlink():
            link.unlink()
    places.unit.unlink(missing_ok=True)
    (places.unit.parent / "multi-user.target.wants" / UNIT).unlink(missing_ok=True)
    if systemd_runs():
        run("systemctl", "daemon-reload")
    if places.opt.exists():
        shutil.rmtree(places.opt)


def _say_what_is_kept(places: Places) -> None:
    say(
        tr(
            "Kept: the config in {config}, the data in {data}, the log in {log}, the user {name}. "
            "To remove these too: {command}",
            config=places.etc,
            data=places.lib,
            log=places.log,
            name=USER,
            command=purge_command(places),
        )
    )


def purge_command(places: Places) -> str:
    """Return what also removes config and data, by what brought the service: its own command is gone then."""
    if places.package.exists():
        return "sudo apt purge tallyd"
    if (places.current / "venv/bin/pip").exists():  # only setup.sh builds a release; all others are copied
        return "sudo sh setup.sh uninstall --purge"
    return 'sudo "$(command -v tallyd)" service uninstall --purge'


def _purge(places: Places) -> None:
    folders = [places.etc, places.lib, places.log, places.drop_ins]
    say(tr("Removing {folders}.", folders=", ".join(map(str, folders))))
    must("rm", "-rf", "--one-file-system", "--", *folders)
    say(tr("Removing the user and the group {name}.", name=USER))
    if exists("group", USER):
        must(
            "gpasswd", "--members", "", USER
        )  # who used sudo is in it; userdel would say that the group stays
    if exists("passwd", USER):
        must("userdel", USER)
    if exists("group", USER):
        must("groupdel", USER)


def _why_not_purge(places: Places) -> str | None:
    """Return why the data must stay: a file waits in an inbox, or something is mounted or linked there."""
    if waiting := next(_waiting(places.lib), None):
        return f"files are waiting in an inbox, for example {waiting}. Move them away first"
    folders = (places.etc, places.lib, places.log)
    if links := [folder for folder in folders if folder.is_symlink()]:
        return f"{links[0]} is a link; remove it and its target by hand first"
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        mounted = Path(line.split(" ")[4].encode().decode("unicode_escape"))  # a space is written as \040
        if any(mounted.is_relative_to(folder) for folder in folders):
            return f"something is mounted at {mounted}; unmount it first"
    return None


def _waiting(lib: Path) -> Iterator[Path]:
    """Yield the files that wait in inboxes below a folder. An inbox has a folder .tallyd in it."""
    inboxes = {lib / "inbox"} | {Path(folder) for folder, below, _ in os.walk(lib) if ".tallyd" in below}
    for inbox in sorted(inboxes):
        for folder, below, names in os.walk(inbox):
            below[:] = [name for name in below if name != ".tallyd"]
            yield from (Path(folder, name) for name in sorted(names))


if __name__ == "__main__":
    with reading_in(language_of_locale(os.environ)):
        try:
            uninstall(Places(), purges=sys.argv[1:] == ["--purge"])
        except ServiceError as error:
            sys.exit(f"setup.sh: {error}")
