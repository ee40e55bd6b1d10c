"""What `pip install` of the wheel makes, without a look at any index.

The wheel is built and unpacked into a venv of its own; beside it are links to what it requires and what that
requires, as this Python has it, and to nothing else.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

_ROOT = Path(__file__).parents[2]


def plain_install(folder: Path, *, extras: frozenset[str] = frozenset(), like: Path | None = None) -> Path:
    """Install into a venv in `folder`; return its Python. `like` is that of another install of the wheel."""
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    site = site_packages(venv / "bin" / "python")
    if like is None:
        _unpack_wheel(site, folder / "built")
    else:
        for part in site_packages(like).glob("tallyd*"):
            (site / part.name).symlink_to(part)
    (info,) = site.glob("tallyd-*.dist-info")
    for each in {found.name: found for found in _required(PathDistribution(info), extras, set())}.values():
        for name in {file.parts[0] for file in each.files or ()} - {"..", "__pycache__"}:
            (site / name).symlink_to(Path(str(each.locate_file(name))))
    return venv / "bin" / "python"


def _unpack_wheel(site: Path, built: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
    subprocess.run(build, cwd=_ROOT, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)


def site_packages(python: Path) -> Path:
    """Return where the packages of a venv lie."""
    venv = str(python.parent.parent)
    return Path(sysconfig.get_path("purelib", "venv", {"base": venv, "platbase": venv}))


def _required(of: Distribution, extras: frozenset[str], done: set[Requirement]) -> Iterator[Distribution]:
    """Yield what a package requires here, and what that requires; some of it more than once."""
    for line in of.requires or ():
        wanted = Requirement(line)
        is_wanted = wanted.marker is None or any(
            wanted.marker.evaluate({"extra": extra}) for extra in extras or {""}
        )
        if is_wanted and wanted not in done:
            done.add(wanted)
            found = distribution(wanted.name)
            yield found
            yield from _required(found, frozenset(wanted.extras), done)
