"""The content of a config file before validation: JSON without comments."""

from __future__ import annotations

import errno
import getpass
import json
import os
import re
import shlex
import stat
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallyd.core.errors import ConfigError, ConfigProblem
from tallyd.core.json_syntax import what_is_wrong

MOST_BYTES = 16 * 1024 * 1024

_ADDRESSES = frozenset({"listen", "hosts", "public_url"})
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Document:
    """A config file as JSON text without its comments.

    `mode` is that of the file. `twice` are the places of keys that occur twice in one object.
    """

    json: str
    mode: int
    twice: tuple[tuple[str | int, ...], ...] = ()

    def holds(self, texts: Set[str]) -> bool:
        """Whether it holds one of `texts` as a value."""
        return any(text in texts for text in _texts_in(json.loads(self.json)))


def is_open_to_all(mode: int) -> bool:
    """Whether others than the owner and the group may do anything with a file."""
    return bool(mode & 0o007)


def read_document(path: Path) -> Document:
    """Read a config file. Raises `ConfigError` unless it is a readable, unambiguous JSON object."""
    mode, raw = _read_bytes(path)
    return parse_document(raw, path, mode=mode)


def parse_document(raw: bytes, path: Path, *, mode: int) -> Document:
    """Return the bytes of a config file as a document; `path` is for messages. Raises as `read_document`.

    Keys that begin with `//` are comments. They are dropped at any depth. A key that occurs twice in one
    object is noted; JSON itself would silently use the last.
    """
    twice: list[tuple[dict[str, Any], str]] = []
    try:
        text = raw.decode("utf-8-sig")  # with the byte order mark that some editors write
        value = json.loads(text, object_pairs_hook=_pairs(twice), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise _broken(path, f"is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise _broken(path, what_is_wrong(error)) from None
    except RecursionError:
        raise _broken(path, "invalid JSON: nested too deeply") from None
    except ValueError as error:
        # A number of over 4,300 digits, NaN or Infinity.
        raise _broken(path, f"invalid JSON: {str(error).split(':')[0]}") from None
    if not isinstance(value, dict):
        raise _broken(path, "must be a JSON object: { ... }")
    text = json.dumps(value)
    if _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise _broken(path, r"contains half of a surrogate pair (\ud800 to \udfff)")
    places = tuple(dict.fromkeys((*_place_in(value, built), key) for built, key in twice))
    return Document(text, mode, places)


def without_addresses(texts: Iterable[str]) -> list[str]:
    """Return a config and its parts, without what may differ between machines that do the same: the schema,
    the order of keys, the addresses of the machine. Comments are gone already.
    """
    found = [json.loads(text) for text in texts]
    for config in found:
        config.pop("$schema", None)
        for served in ("web", "intake"):
            if isinstance(settings := config.get(served), dict):
                config[served] = {key: value for key, value in settings.items() if key not in _ADDRESSES}
    return [json.dumps(each, sort_keys=True) for each in found]


def _read_bytes(path: Path) -> tuple[int, bytes]:
    """Return mode and content of a config file. Raises `ConfigError`."""
    try:
        mode, raw = read_file(path, most_bytes=MOST_BYTES + 1)
    except FileNotFoundError:
        hint = f"Create one with: {{tallyd}} init > {shlex.quote(str(path))}, or name another with --config"
        raise _broken(path, f"no such file: {path.absolute()}. {hint}") from None
    except PermissionError:
        advice = f"For the service: sudo chgrp tallyd {path.absolute()} && sudo chmod 640 {path.absolute()}"
        raise _broken(path, f"{user()} cannot read {path.absolute()}. {advice}") from None
    except IsADirectoryError:
        inside = path / "config.json"
        hint = f"Name the file in it: --config {inside if inside.is_file() else path / 'FILE'}"
        raise _broken(path, f"is a folder: {path.absolute()}. {hint}") from None
    except OSError as error:
        raise _broken(path, f"cannot be read: {error.strerror}: {path.absolute()}") from None
    if len(raw) > MOST_BYTES:
        raise _broken(path, f"is larger than {MOST_BYTES // 2**20} MiB, which is too large for a config")
    return mode, raw


def read_file(path: Path, *, most_bytes: int) -> tuple[int, bytes]:
    """Return the mode of a regular file, as chmod takes it, and its first bytes.

    Raises `OSError`, also for a pipe: reading a pipe would wait.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        with open(descriptor, "rb", closefd=False) as file:  # a descriptor, not a path
            return stat.S_IMODE(mode), file.read(most_bytes)
    finally:
        os.close(descriptor)


def user() -> str:
    """Return the user who runs this; a number if the system has no name for it, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _pairs(twice: list[tuple[dict[str, Any], str]]) -> Any:
    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key, value in pairs:
            if key.startswith("//"):
                continue
            if key in built:
                twice.append((built, key))
            built[key] = value
        return built

    return build


def _place_in(value: Any, wanted: dict[str, Any]) -> tuple[str | int, ...]:
    """Return the path to exactly that object; empty for the outermost object and for a dropped one."""
    inner: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for segment, each in inner:
        if each is wanted:
            return (segment,)
        if below := _place_in(each, wanted):
            return (segment, *below)
    return ()


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(inner)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _broken(path: Path, text: str) -> ConfigError:
    return ConfigError(path.name or str(path), (ConfigProblem("", text),))
