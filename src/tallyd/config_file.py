"""What stands in a config file, before it means anything: JSON without comments, and secrets resolved."""

from __future__ import annotations

import errno
import getpass
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

from tallyd.core.errors import ConfigError, ConfigProblem
from tallyd.core.texts import UNPRINTABLE
from tallyd.settings import UNREADABLE_CREDENTIAL, wrong

MOST_BYTES = 16 * 1024 * 1024
MOST_SECRET_BYTES = 64 * 1024
SERVICE_CREDENTIALS = Path("/run/credentials/tallyd.service")

_SURROGATE = re.compile("[\ud800-\udfff]")
_AFTER_SCHEME = {"env": "NAME", "file": "PATH", "credential": "NAME"}
_NEAR_SCHEME = re.compile(
    r"\s*(?P<scheme>(?i:env|file|credential))\s*:|\$(?:[A-Z_][A-Z0-9_]*|\{[A-Za-z0-9_]+\})\Z"
)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Document:
    """A config file as JSON text without its comments; `digest` is of the bytes on disk (sha256, hex).

    `twice` are the places of keys that stand twice in one object.
    """

    json: str
    digest: str
    twice: tuple[tuple[str | int, ...], ...] = ()


def read_document(path: Path) -> Document:
    """Read a config file. Raises `ConfigError` for what is no readable, unambiguous JSON object.

    Keys that begin with `//` are comments and are dropped, at any depth. A key that stands twice in one
    object is noted, where JSON itself would silently take the last.
    """
    raw = _read_bytes(path)
    twice: list[tuple[dict[str, Any], str]] = []
    try:
        text = raw.decode("utf-8-sig")  # with the byte order mark that some editors write
        value = json.loads(text, object_pairs_hook=_pairs(twice), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise _broken(path, f"is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _broken(path, f"broken JSON at {where}: {error.msg}{_advice(error)}") from None
    except RecursionError:
        raise _broken(path, "broken JSON: nested too deeply") from None
    except ValueError as error:
        # A number of over 4,300 digits, NaN or Infinity.
        raise _broken(path, f"broken JSON: {str(error).split(':')[0]}") from None
    if not isinstance(value, dict):
        raise _broken(path, "must be a JSON object: { ... }")
    text = json.dumps(value)
    if _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise _broken(path, r"holds half of a surrogate pair (\ud800 to \udfff)")
    places = tuple(dict.fromkeys((*_place_in(value, built), key) for built, key in twice))
    return Document(text, hashlib.sha256(raw).hexdigest(), places)


def _read_bytes(path: Path) -> bytes:
    try:
        with _opened(path) as file:
            raw = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        hint = "Write one with: tallyd init > config.json, or name another with --config"
        raise _broken(path, f"no such file: {path.absolute()}. {hint}") from None
    except PermissionError:
        raise _broken(path, f"may not be read by {_user()}: {path.absolute()}") from None
    except OSError as error:
        raise _broken(path, f"cannot be read: {error.strerror}: {path.absolute()}") from None
    if len(raw) > MOST_BYTES:
        raise _broken(path, f"is larger than {MOST_BYTES // 2**20} MiB; that is no config")
    return raw


def _opened(path: Path) -> BufferedReader:
    """Open a regular file for reading. Raises `OSError`, also for a pipe, where reading would wait."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder, no regular file")
        raise OSError(errno.EINVAL, "it is no regular file")
    return open(descriptor, "rb")  # noqa: PTH123 # a descriptor, not a path


def _user() -> str:
    """Return who runs this; a number where the system has no name for it, as in some containers."""
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
    """Return the path to that very object; empty for the outermost, and where it was dropped itself."""
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


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _advice(error: json.JSONDecodeError) -> str:
    before = error.doc[: error.pos].rstrip()
    if before.endswith(",") and error.doc[error.pos : error.pos + 1] in ("}", "]"):
        return " (a comma before a closing bracket)"
    if error.doc[error.pos : error.pos + 2] in ("//", "/*"):
        return ' (write a comment as "//": "text")'
    return ""


def _broken(path: Path, text: str) -> ConfigError:
    return ConfigError(path.name, (ConfigProblem("", text),))


@dataclass
class SecretFiles:
    """Resolves `env:`, `file:` and `credential:`; remembers the values for redaction and the files to watch.

    `folder` is the config file's. With `lenient`, a credential that only the service can read becomes a
    note instead of a problem: `check` in a shell can say all the rest. `parts` are the digests of those files
    that are parts of the config.
    """

    folder: Path
    environ: Mapping[str, str]
    lenient: bool = False
    values: set[str] = field(default_factory=set)
    files: set[Path] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    parts: dict[Path, str] = field(default_factory=dict)

    def digest_with(self, digest: str) -> str:
        """Return the digest of a config whose file has `digest`, the files of its parts included."""
        if not self.parts:
            return digest
        return hashlib.sha256("".join((digest, *sorted(self.parts.values()))).encode()).hexdigest()

    def read(self, written: str) -> str:
        """Return the secret; raises `wrong()` with what to do."""
        scheme, colon, rest = written.partition(":")
        if near := _NEAR_SCHEME.match(written):
            known = near["scheme"].lower() if near["scheme"] else "env"
            if not (colon and scheme == known):
                raise wrong(f'did you mean "{known}:{_AFTER_SCHEME[known]}"? It begins with "{known}:"')
        if colon and scheme in _AFTER_SCHEME and UNPRINTABLE.search(rest):
            raise wrong(f'holds a control or invisible character after "{scheme}:"')
        if colon and scheme == "env":
            value = self._from_environment(rest)
        elif colon and scheme == "file":
            value = self._from_file(self.folder / rest)
        elif colon and scheme == "credential":
            value = self._from_credential(rest)
        else:
            value = written
        self.values.add(value)
        return value

    def path_of(self, written: str) -> Path:
        """Return where a file is that the config names, which is watched for changes from now on."""
        path = self.folder / written
        self.files.add(path)
        return path

    def read_object(self, written: str) -> dict[str, Any]:
        """Return what stands in a part of the config that has a file of its own; raises `wrong()`.

        As in the config itself, comments are dropped, and a key that stands twice is refused.
        """
        path = self.path_of(written)
        if not path.exists():
            raise wrong(f"{path} is missing")
        try:
            document = read_document(path)
        except ConfigError as error:
            raise wrong(f"{path}: {error.problems[0].text}") from None
        if document.twice:
            raise wrong(f'{path}: "{document.twice[0][-1]}" stands twice in one object; keep one')
        self.parts[path] = document.digest
        found: dict[str, Any] = json.loads(document.json)
        return found

    def _from_environment(self, name: str) -> str:
        if not _ENV_NAME.fullmatch(name):
            raise wrong('"env:" must be followed by the name of an environment variable')
        value = self.environ.get(name)
        if value is None:
            raise wrong(
                f"the environment variable {name} is not set. The service reads /etc/tallyd/env; "
                f"in a shell: export {name}=..."
            )
        if not value.strip():
            raise wrong(f"the environment variable {name} is empty")
        return value

    def _from_file(self, path: Path) -> str:
        self.files.add(path)
        try:
            mode, raw = self._read(path)
        except FileNotFoundError:
            raise wrong(
                f"{path} is missing. Put only the secret into it, readable for group tallyd (0640)."
            ) from None
        except PermissionError:
            raise wrong(
                f"{path} may not be read by {_user()}. Make it readable for group tallyd: "
                f"chgrp tallyd {path} && chmod 640 {path}"
            ) from None
        except OSError as error:
            raise wrong(f"{path} cannot be read: {error.strerror}") from None
        if mode & 0o007:
            self.notes.append(f"{path} may be read by everybody (mode {mode:04o}); better: chmod 640 {path}")
        return self._text(raw, path)

    def _from_credential(self, name: str) -> str:
        if not name or "/" in name or name.startswith("."):
            raise wrong('"credential:" must be followed by the name of a systemd credential')
        own = self.environ.get("CREDENTIALS_DIRECTORY")
        path = Path(own) / name if own else SERVICE_CREDENTIALS / name
        try:
            return self._text(self._read(path)[1], path)
        except FileNotFoundError:
            if not own and self.lenient and not SERVICE_CREDENTIALS.exists():
                return self._unreadable(name, "the service is not running")
            raise wrong(
                f"there is no credential {name} in {path.parent}. "
                f"Add LoadCredential={name}:/path/to/file to the unit"
            ) from None
        except PermissionError:
            if self.lenient:
                return self._unreadable(name, f"{_user()} may not read {path.parent}")
            raise wrong(f"{path} may not be read by {_user()}; run it with sudo") from None
        except OSError as error:
            raise wrong(f"{path} cannot be read: {error.strerror}") from None

    def _unreadable(self, name: str, why: str) -> str:
        self.notes.append(f"credential:{name} could not be looked at from here ({why}); the rest was checked")
        return UNREADABLE_CREDENTIAL

    @staticmethod
    def _read(path: Path) -> tuple[int, bytes]:
        """Return the mode and the content of a file. Raises `OSError`."""
        with _opened(path) as file:
            mode, raw = stat.S_IMODE(os.fstat(file.fileno()).st_mode), file.read(MOST_SECRET_BYTES + 1)
        if len(raw) > MOST_SECRET_BYTES:
            raise wrong(f"{path} is larger than 64 KiB; put only the secret into it")
        return mode, raw

    @staticmethod
    def _text(raw: bytes, path: Path) -> str:
        try:
            text = raw.decode("utf-8-sig")  # with the byte order mark that some editors write
        except UnicodeDecodeError:
            raise wrong(f"{path} is not UTF-8 text; put only the secret into it") from None
        text = text.removesuffix("\n").removesuffix("\r")
        if not text.strip():
            raise wrong(f"{path} is empty. Put only the secret into it.")
        return text
