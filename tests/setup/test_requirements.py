"""The locks must hold exactly what pyproject.toml asks for, every file by its hash, and no address."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

_ROOT = Path(__file__).parents[2]
_GROUPS = {
    "requirements.txt": ("build",),
    "requirements-dask.txt": ("build",),
    "requirements-dev.txt": ("build", "dev"),
}
_LEFT_OUT = {"requirements.txt": {"dask"}}
"""Extras that a small machine goes without."""
_LOCKS = pytest.mark.parametrize("lock", sorted(_GROUPS))

_COMPILE = "uv pip compile --universal --generate-hashes --group build"
_AGAIN = f"""compile the locks again:
  {_COMPILE} --extra web --extra postgres --extra mysql -o requirements.txt pyproject.toml
  {_COMPILE} --all-extras -c requirements.txt -o requirements-dask.txt pyproject.toml
  {_COMPILE} --all-extras --group dev -c requirements-dask.txt -o requirements-dev.txt pyproject.toml
(with --upgrade for newer versions; see that no address of an index gets in)"""


def _entries(lock: str) -> dict[str, list[str]]:
    """Return each locked requirement, `name==version ; marker`, with its hashes."""
    entries: dict[str, list[str]] = {}
    text = (_ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement, *hashes = line.split(" --hash=")
            entries[requirement.strip()] = [value.strip() for value in hashes]
    return entries


def _pins(lock: str) -> dict[str, tuple[Version, Marker | None]]:
    """Return the locked version and its marker by canonical name."""
    pins: dict[str, tuple[Version, Marker | None]] = {}
    for text in _entries(lock):
        requirement = Requirement(text)
        (only,) = requirement.specifier
        assert only.operator == "==", text
        pins[canonicalize_name(requirement.name)] = (Version(only.version), requirement.marker)
    return pins


def _wanted(lock: str) -> list[Requirement]:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    texts = list(project["project"]["dependencies"])
    for name, extra in project["project"]["optional-dependencies"].items():
        if name not in _LEFT_OUT.get(lock, ()):
            texts += extra
    for group in _GROUPS[lock]:
        texts += project["dependency-groups"][group]
    return [Requirement(text) for text in texts]


@_LOCKS
def test_lock_holds_what_pyproject_asks_for(lock: str) -> None:
    pins = _pins(lock)
    unmet = []
    for wanted in _wanted(lock):
        version, marker = pins.get(canonicalize_name(wanted.name), (None, None))
        if version is None or marker is not None or not wanted.specifier.contains(version, prereleases=True):
            unmet.append(f"{wanted} (locked: {version})")
    assert not unmet, f"{lock} does not fit pyproject.toml: {', '.join(unmet)}; {_AGAIN}"


@_LOCKS
def test_every_locked_file_has_its_hash(lock: str) -> None:
    entries = _entries(lock)
    assert len(entries) > 20
    for requirement, hashes in entries.items():
        assert hashes, f"{lock}: {requirement} has no hash; {_AGAIN}"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), requirement


@_LOCKS
def test_no_address_and_no_path_stands_in_a_lock(lock: str) -> None:
    """Where packages come from is the business of the machine that installs them."""
    for number, line in enumerate((_ROOT / lock).read_text(encoding="utf-8").splitlines(), start=1):
        place = f"{lock}:{number}: {line.strip()}"
        assert "://" not in line, place
        assert not re.match(r"\s*-", re.sub(r"^\s+--hash=.*", "", line)), f"{place}: an option of pip"
        assert not re.search(r"(^|[\s=])(/|~|\.\.?/)", line), f"{place}: a path"
        assert not re.search(r"\b[\w-]+\.(com|dev|io|net|org)\b", line), f"{place}: a host"


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dask.txt"])
def test_all_locks_name_the_same_versions(lock: str) -> None:
    run, dev = _pins(lock), _pins("requirements-dev.txt")
    other = {name: (run[name][0], dev[name][0]) for name in run if name in dev and run[name] != dev[name]}
    assert run.keys() <= dev.keys()
    assert not other, f"{other}; {_AGAIN}"
