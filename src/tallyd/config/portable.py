"""A config that goes to another machine: what a backup has of it, and what a restore changes in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from tallyd.config.document import parse_document, read_document
from tallyd.config.folders import DATA_FOLDER, INSTALLED, installed_folders
from tallyd.config.load import config_of, without_password
from tallyd.config.model import Config
from tallyd.config.secrets import SecretFiles
from tallyd.config.settings import Settings
from tallyd.core.errors import ConfigError
from tallyd.settings.secrets import UNREADABLE_CREDENTIAL

_Place: TypeAlias = "tuple[str | int, ...]"
_Text: TypeAlias = "tuple[_Place, str]"
_FOLDERS: Final = ("out", "state", "log")
_MODE: Final = 0o640
_PRIVATE_KEY: Final = b"PRIVATE KEY"


@dataclass(frozen=True)
class Portable:
    """The content of a config file, empty if it is not to go along, and of files beside it by relative paths.

    `left_out` are files that a restore lacks.
    """

    config: bytes
    beside: Mapping[str, bytes]
    left_out: tuple[Path, ...]


def whole(config: Config, environ: Mapping[str, str]) -> Portable:
    """Return the config as it is on disk, with every file below its folder that it names: its secrets too."""
    folder = config.path.parent
    reader = SecretFiles(folder, environ, lenient=True)
    config_of(read_document(config.path), config.path, reader)
    named = {*reader.files, *([folder / "env"] if config.path == INSTALLED else [])}
    beside = {_below(path, folder): path.read_bytes() for path in named if path.is_file()}
    beside.pop("", None)
    left_out = (path for path in named if _below(path, folder) not in beside)
    return Portable(config.path.read_bytes(), beside, tuple(sorted(left_out)))


def without_secrets(config: Config, environ: Mapping[str, str]) -> Portable:
    """Return the config without the secrets that are written in it, and without comments: they may hold more.

    Each secret becomes a reference to a file that does not exist yet. So the config that is restored says
    which files it lacks. The parts of the config that have a file of their own are treated alike.
    """
    folder = config.path.parent
    reader = SecretFiles(folder, environ, lenient=True)
    document = read_document(config.path)
    settings = config_of(document, config.path, reader).settings
    secrets = reader.plain - without_password(settings)
    content = json.loads(document.json)
    parts = {path: json.loads(part.json) for path, part in reader.parts.items()}
    in_parts = [each for part in parts.values() for each in _texts(part) if each[1] in secrets]
    trial = _Trial(config.path, environ, settings, content, in_parts)
    found = [each for each in _texts(content) if each[1] in secrets]
    if not trial.is_same(found):  # a password that is also the name of something
        found = [each for each in found if trial.is_same([each])]
    portable, references = trial.replaced(found)
    beside = {
        _below(path, folder): _written(_replaced(part, None, references)) for path, part in parts.items()
    }
    for path in reader.files - reader.secret_files - parts.keys():
        if path.is_file() and _PRIVATE_KEY not in path.read_bytes():
            beside[_below(path, folder)] = path.read_bytes()  # certificates are public
    beside.pop("", None)
    left_out = (path for path in reader.files if _below(path, folder) not in beside)
    return Portable(_written(portable), beside, tuple(sorted(left_out)))


def moved(text: bytes, path: Path, *, zone: str, zone_here: ZoneInfo) -> bytes:
    """Return the config of a backup as it must be at `path` on this machine.

    The folders of the installed service are those of an installed config alone. The time zone stays what it
    was, whatever this machine has: the slots of the past are in it.
    """
    content = json.loads(parse_document(text, path, mode=_MODE).json)
    before = json.dumps(content)
    if path == INSTALLED:
        for key, value in installed_folders().items():
            content[key] = {**content.get(key, {}), **value} if isinstance(value, dict) else value
    elif content.get("data_dir") == str(DATA_FOLDER):
        del content["data_dir"]
        for key in _FOLDERS:
            content.get(key, {}).pop("dir", None)
    if "timezone" not in content and zone and zone != zone_here.key:
        content["timezone"] = zone
    return text if json.dumps(content) == before else _written(content)


def read_without_secrets(text: bytes, path: Path, beside: Path) -> Config:
    """Return the config that will be at `path`, without reading any secret: they may come later.

    `beside` has the files that will be beside it. Raises `ConfigError`.
    """
    return config_of(parse_document(text, path, mode=_MODE), path, _NoSecrets(beside, {}, lenient=True))


class _NoSecrets(SecretFiles):
    """Reads no secret that is elsewhere."""

    def read(self, written: str) -> str:
        return UNREADABLE_CREDENTIAL if self.reference(written) else super().read(written)


@dataclass(frozen=True)
class _Trial:
    """A config with references instead of secrets. `in_parts` are the secrets in its parts."""

    path: Path
    environ: Mapping[str, str]
    settings: Settings
    content: Any
    in_parts: Sequence[_Text]

    def replaced(self, found: Sequence[_Text]) -> tuple[Any, Mapping[str, str]]:
        """Return the content with references instead of these texts, and the references by their secrets."""
        references = _references((*found, *self.in_parts), self.path.parent)
        return _replaced(self.content, {place for place, _ in found}, references), references

    def is_same(self, found: Sequence[_Text]) -> bool:
        """Whether the config says the same with references there."""
        content, references = self.replaced(found)
        folder = self.path.parent
        unwritten = {folder / written.removeprefix("file:"): value for value, written in references.items()}
        reader = SecretFiles(folder, self.environ, lenient=True, unwritten=unwritten)
        document = parse_document(_written(content), self.path, mode=_MODE)
        try:
            return config_of(document, self.path, reader).settings == self.settings
        except ConfigError:
            return False


def _below(path: Path, folder: Path) -> str:
    """Return the path relative to a folder; empty if it is not below it."""
    inside, top = path.resolve(), folder.resolve()
    return str(inside.relative_to(top)) if inside.is_relative_to(top) else ""


def _references(found: Iterable[_Text], folder: Path) -> dict[str, str]:
    """Return for each secret the reference that stands for it, named by its first place."""
    references: dict[str, str] = {}
    taken = {path.name for path in (folder / "secrets").glob("*")}
    for place, secret in found:
        if secret not in references:
            name = wanted = re.sub(r"[^a-z0-9]+", "-", "-".join(map(str, place)).lower()).strip("-")
            number = 2
            while name in taken:
                name, number = f"{wanted}-{number}", number + 1
            taken.add(name)
            references[secret] = f"file:secrets/{name}"
    return references


def _texts(value: Any, place: _Place = ()) -> Iterator[_Text]:
    """Yield each text in a JSON value, with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(inner, (*place, key))


def _replaced(
    value: Any, places: Set[_Place] | None, references: Mapping[str, str], place: _Place = ()
) -> Any:
    """Return a JSON value with references instead of secrets, at these places alone; None: everywhere."""
    if isinstance(value, dict):
        return {key: _replaced(inner, places, references, (*place, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, places, references, (*place, n)) for n, inner in enumerate(value)]
    is_there = isinstance(value, str) and (places is None or place in places)
    return references.get(value, value) if is_there else value


def _written(content: Any) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()
