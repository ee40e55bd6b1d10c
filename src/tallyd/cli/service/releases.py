"""Releases: a version of tallyd with all that it needs, in a folder that only root can change.

`current` and `previous` are links to two of them, so that an upgrade and the way back are each one rename.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import time
from datetime import UTC, datetime
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import tallyd
from tallyd.cli.service.places import SHARED, Places
from tallyd.cli.service.system import ServiceError, answer, must, run, say
from tallyd.core.language.messages import tr

_DAY_S: Final = 86_400
_HIDDEN: Final = ("/home", "/root", "/tmp", "/var/tmp", "/run/user")  # noqa: S108 # the service has its own
"""Where the service cannot see anything."""
_KIND_OF_PYTHON: Final = (
    "import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_platform())"
)
_SCRIPT: Final = """#!{python}
import sys

from tallyd.cli.main import main

sys.exit(main())
"""


def release_of(places: Places, link: str) -> str | None:
    """Return the release that a link (`current`, `previous`) points to; None if there is none."""
    folder = (places.opt / link).resolve()
    return folder.name if folder.is_dir() and folder.parent == places.releases.resolve() else None


def point(places: Places, link: str, release: str) -> None:
    """Point a link to a release. It is a rename, so there is no moment without the link."""
    new = places.opt / f"{link}.new"
    new.unlink(missing_ok=True)
    new.symlink_to(Path("releases", release))
    new.rename(places.opt / link)


def new_release(places: Places) -> str:
    """Return the release of the tallyd that runs now, with its unit file and its command.

    setup.sh has built it where it belongs. Any other, of pipx or of a package, is copied.
    Raises `ServiceError`.
    """
    own = Path(sys.prefix).parent
    if own.parent != places.releases:
        name = f"{tallyd.__version__}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        own = places.releases / name
        try:
            _copy(own / "venv")
        except BaseException:
            shutil.rmtree(own, ignore_errors=True)
            raise
    if own.name == release_of(places, "current"):
        raise ServiceError(f"{own.name} is installed already; run the `service install` of a newer tallyd")
    here = files("tallyd.cli.service")
    (own / "tallyd.service").write_text(unit_text(), "utf-8")
    command = own / "tallyd"
    command.write_text(here.joinpath("tallyd.sh").read_text("utf-8").replace("@RELEASE@", str(own)), "utf-8")
    command.chmod(0o755)
    return own.name


def unit_text() -> str:
    """Return the unit file for what is installed here."""
    text = files("tallyd.cli.service").joinpath("tallyd.service").read_text("utf-8")
    # Dask reads /proc/meminfo when it is imported.
    return text.replace("ProcSubset=pid", "ProcSubset=all") if find_spec("distributed") else text


def drop_old_releases(places: Places) -> None:
    """Remove each release that is neither current nor previous. One without a command is being built."""
    kept = {release_of(places, "current"), release_of(places, "previous")}
    for folder in sorted(places.releases.iterdir()):
        is_built = (folder / "tallyd").exists() or time.time() - folder.stat().st_mtime > _DAY_S
        if folder.name not in kept and is_built:
            say(tr("Removing the old version {release}.", release=folder.name))
            shutil.rmtree(folder)


def put_in_place(places: Places) -> None:
    """Install the unit file, the command, the man page and the completions of the current release."""
    places.unit.write_bytes((places.current / "tallyd.service").read_bytes())
    links = {places.command: places.current / "tallyd"}
    links |= {places.share / each: places.current / "venv/share" / each for each in SHARED}
    for link, target in links.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        new = link.with_name(f".{link.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.rename(link)


def copy_environment(venv: Path, *, python: str, seen_as: Path | None = None) -> None:
    """Copy the packages of this process into a new venv of `python`. `seen_as`: where it will be moved to."""
    must(python, "-m", "venv", "--without-pip", venv)
    target = next(venv.glob("lib/python3*")) / "site-packages"
    # Not the modes: where it was, its user may have been able to write. The times, for the byte code.
    must("cp", "-R", "--preserve=timestamps", "--", f"{sysconfig.get_path('purelib')}/.", target)
    for path_file in target.glob("*.pth"):
        path_file.unlink()  # it may add a folder in a home
    if (shared := Path(sys.prefix, "share")).is_dir():
        must("cp", "-R", "--", shared, venv)
    script = venv / "bin/tallyd"
    script.write_text(_SCRIPT.format(python=(seen_as or venv) / "bin/python"), "utf-8")
    script.chmod(0o755)
    run(python, "-m", "compileall", "-q", target)  # the service cannot write byte code there


def _copy(venv: Path) -> None:
    """Copy the environment of this process into a new venv, with the Python of the system."""
    source = Path(sysconfig.get_path("purelib"))
    if sys.prefix == sys.base_prefix or not Path(tallyd.__file__).is_relative_to(source):
        raise ServiceError(
            "this tallyd is not in an environment of its own. Install it with pipx or uv, "
            "or from its source: sudo sh setup.sh install"
        )
    python = _system_python()
    say(tr("Copying tallyd {version} to {folder}.", version=tallyd.__version__, folder=venv.parent))
    venv.parent.mkdir(parents=True)
    copy_environment(venv, python=python)


def _system_python() -> str:
    """Return a Python of the version of this one that the service can run. Raises `ServiceError`.

    The service is another user and cannot see home folders.
    """
    own = os.path.realpath(sys.executable)
    wanted = answer(own, "-I", "-c", _KIND_OF_PYTHON)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (own, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        is_hidden = any(Path(python).is_relative_to(folder) for folder in _HIDDEN)
        if not is_hidden and answer(*nobody, python, "-I", "-c", _KIND_OF_PYTHON) == wanted:
            return python
    raise ServiceError(
        f"the service cannot use {own}: it runs as another user and cannot see home folders. "
        "Install tallyd with the system's Python: pipx install --python /usr/bin/python3, "
        "or uv tool install --python /usr/bin/python3"
    )
