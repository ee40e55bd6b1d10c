"""The secrets of a config: reads them, and collects the values to redact and the files to watch."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tallyd.config.document import Document, is_open_to_all, read_document, read_file, user
from tallyd.config.folders import INSTALLED
from tallyd.core.errors import ConfigError
from tallyd.core.language.messages import english
from tallyd.core.texts import UNPRINTABLE
from tallyd.settings.secrets import NEAR_REFERENCE, UNREADABLE_CREDENTIAL
from tallyd.settings.types import wrong

MOST_SECRET_BYTES = 64 * 1024
SERVICE_CREDENTIALS = Path("/run/credentials/tallyd.service")

_AFTER_SCHEME = {"env": "NAME", "file": "PATH", "credential": "NAME"}
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass
class SecretFiles:
    """Resolves `env:`, `file:` and `credential:`, and reads the other files that the config names.

    It remembers the values for redaction, and the files to watch. Implements `settings.secrets.NamedFiles`.
    `folder` is that of the config file. With `lenient`, a credential that only the service can read becomes a
    note instead of a problem, so that `check` in a shell can still check the rest. `parts` are files that are
    parts of the config. `secret_files` are those of `files` that hold nothing but a secret. `plain` are
    secrets written directly. `unwritten` are secrets that are not written yet, by the paths of their files.
    """

    folder: Path
    environ: Mapping[str, str]
    lenient: bool = False
    values: set[str] = field(default_factory=set)
    plain: set[str] = field(default_factory=set)
    files: set[Path] = field(default_factory=set)
    secret_files: set[Path] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    parts: dict[Path, Document] = field(default_factory=dict)
    unwritten: Mapping[Path, str] = field(default_factory=dict)

    def read(self, written: str) -> str:
        """Return the secret; raises `wrong()` with what to do."""
        scheme, colon, rest = written.partition(":")
        if near := NEAR_REFERENCE.match(written):
            known = near["scheme"].lower() if near["scheme"] else "env"
            if not (colon and scheme == known):
                raise wrong(
                    f'did you mean "{known}:{_AFTER_SCHEME[known]}"? A reference begins with "{known}:"'
                )
        if colon and scheme in _AFTER_SCHEME and UNPRINTABLE.search(rest):
            raise wrong(f'contains a control or invisible character after "{scheme}:"')
        if colon and scheme == "env":
            value = self._from_environment(rest)
        elif colon and scheme == "file":
            value = self._from_file(self.folder / rest)
        elif colon and scheme == "credential":
            value = self._from_credential(rest)
        else:
            value = written
            self.plain.add(value)
        self.values.add(value)
        return value

    def reference(self, written: str) -> str:
        """Return the reference that `written` is, as any process of this machine can read it; else empty."""
        scheme, colon, rest = written.partition(":")
        if not colon or scheme not in _AFTER_SCHEME:
            return ""
        return f"file:{(self.folder / rest).absolute()}" if scheme == "file" else written

    def open_files(self, files: Mapping[Path, Document], harmless: Set[str]) -> tuple[str, ...]:
        """Return a note for each file that holds a secret directly and that anybody may read.

        `harmless` are values that are treated as secrets but are none: a database URL without a password.
        """
        return tuple(
            english(
                "{file} contains a secret and is readable by everybody (mode {mode}); fix it with: "
                "chmod 640 {path}",
                file=str(path),
                mode=format(document.mode, "04o"),
                path=shlex.quote(str(path)),
            )
            for path, document in files.items()
            if is_open_to_all(document.mode) and document.holds(self.plain - harmless)
        )

    def path_of(self, written: str) -> Path:
        """Return the path of a file that the config names, and watch it for changes from now on."""
        path = self.folder / written
        self.files.add(path)
        return path

    def read_object(self, written: str) -> dict[str, Any]:
        """Return the content of a part of the config that has a file of its own. Raises `wrong()`.

        As in the config itself, comments are dropped, and a key that occurs twice is a problem.
        """
        path = self.path_of(written)
        if not path.exists():
            raise wrong(f"{path} is missing")
        try:
            document = read_document(path)
        except ConfigError as error:
            raise wrong(f"{path}: {error.problems[0].text}") from None
        if document.twice:
            raise wrong(f'{path}: "{document.twice[0][-1]}" occurs twice in one object; keep one')
        self.parts[path] = document
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
        self.secret_files.add(path)
        if path in self.unwritten:
            return self.unwritten[path]
        try:
            mode, raw = self._read(path)
        except FileNotFoundError:
            raise wrong(
                f"{path} is missing. Put only the secret into it, readable "
                + ("for group tallyd (0640)." if self._is_services else "only by you (0600).")
            ) from None
        except PermissionError:
            if self._is_services:
                how = f"Make it readable for group tallyd: chgrp tallyd {path} && chmod 640 {path}"
            else:
                how = "It must belong to that user and have mode 0600"
            raise wrong(f"{user()} cannot read {path}. {how}") from None
        except OSError as error:
            raise wrong(f"{path} cannot be read: {error.strerror}") from None
        if is_open_to_all(mode):
            note = english(
                "{file} is readable by everybody (mode {mode}); fix it with: chmod 640 {path}",
                file=str(path),
                mode=format(mode, "04o"),
                path=shlex.quote(str(path)),
            )
            self.notes.append(note)
        return self._text(raw, path)

    @property
    def _is_services(self) -> bool:
        return self.folder == INSTALLED.parent

    def _from_credential(self, name: str) -> str:
        if not name or "/" in name or name.startswith("."):
            raise wrong('"credential:" must be followed by the name of a systemd credential')
        own = self.environ.get("CREDENTIALS_DIRECTORY")
        path = Path(own) / name if own else SERVICE_CREDENTIALS / name
        try:
            return self._text(self._read(path)[1], path)
        except FileNotFoundError:
            if not own and self.lenient and not SERVICE_CREDENTIALS.exists():
                return self._unreadable(name, english("the service is not running"))
            raise wrong(
                f"there is no credential {name} in {path.parent}. "
                f"Add LoadCredential={name}:/path/to/file to the unit"
            ) from None
        except PermissionError:
            if self.lenient:
                why = english("{user} cannot read {folder}", user=user(), folder=str(path.parent))
                return self._unreadable(name, why)
            raise wrong(f"{user()} cannot read {path}; run the command with sudo") from None
        except OSError as error:
            raise wrong(f"{path} cannot be read: {error.strerror}") from None

    def _unreadable(self, name: str, why: str) -> str:
        note = english("credential:{name} was not checked ({why}); everything else was", name=name, why=why)
        self.notes.append(note)
        return UNREADABLE_CREDENTIAL

    @staticmethod
    def _read(path: Path) -> tuple[int, bytes]:
        """Return the mode and the content of a file. Raises `OSError`."""
        mode, raw = read_file(path, most_bytes=MOST_SECRET_BYTES + 1)
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
