"""A config that is being built: checked as if it were on disk, and written all at once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tallyd.cli.config.check_folders import folder_problems, runs_as_this_user, service_folders
from tallyd.cli.process.equipment import look_closely
from tallyd.config.document import parse_document
from tallyd.config.load import config_of
from tallyd.config.model import Config
from tallyd.config.problems import place_of
from tallyd.config.secrets import SecretFiles
from tallyd.core.errors import ConfigError, ConfigProblem
from tallyd.core.reading import Json

SECRETS = "secrets"
_SECRET_MODE, _SECRETS_MODE, _CONFIG_MODE = 0o600, 0o700, 0o640


@dataclass
class Draft:
    """The content of a config for `path`, and the secrets for files beside it, by their paths."""

    path: Path
    content: dict[str, Any]
    secrets: dict[Path, str] = field(default_factory=dict)

    def get(self, key: tuple[str, ...]) -> Json:
        """Return the value at a place; None if there is none."""
        found: Any = self.content
        for part in key:
            found = found.get(part) if isinstance(found, dict) else None
        return found  # type: ignore[no-any-return] # it was JSON, or came from a question

    def put(self, key: tuple[str, ...], value: Json) -> None:
        """Set the value at a place. None removes it, and objects that are then empty."""
        if (before := self.get(key)) and isinstance(before, str):
            self.secrets.pop(self.path.parent / before.removeprefix("file:"), None)
        if value is None:
            _remove(self.content, key)
            return
        above = self.content
        for part in key[:-1]:
            above = above.setdefault(part, {})
        above[key[-1]] = value

    def put_secret(self, key: tuple[str, ...], name: str, secret: str) -> None:
        """Set a reference to a file below `secrets/`, and keep the secret for that file.

        It never names an existing file, because that would be overwritten.
        """
        chosen, number = name, 2
        while os.path.lexists(self._folder / chosen):
            chosen, number = f"{name}-{number}", number + 1
        self.put(key, f"file:{SECRETS}/{chosen}")
        self.secrets[self._folder / chosen] = secret

    def config(self, *, closely: bool = False) -> Config:
        """Return the draft as a config; `closely`: also run `look_closely`. Raises `ConfigError`."""
        reader = SecretFiles(self.path.parent, dict(os.environ), unwritten=self.secrets)
        document = parse_document(self._text, self.path, mode=_CONFIG_MODE)
        return config_of(
            document,
            self.path,
            reader,
            closely=lambda config: (*_folder_problems(config), *(look_closely(config) if closely else ())),
        )

    def fault(self, key: tuple[str, ...], *, closely: bool = False) -> ConfigProblem | None:
        """Return the first problem of the config at or below a place, relative to it; None: no problem."""
        try:
            self.config(closely=closely)
        except ConfigError as error:
            place = place_of(key)
            for problem in error.problems:
                below = problem.place.removeprefix(place)
                if problem.place.startswith(place) and below[:1] in ("", ".", "["):
                    return ConfigProblem(below.lstrip("."), problem.text)
        return None

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write the secrets, each readable only by its owner, then the config; return all paths.

        It overwrites nothing. If it raises `OSError`, it has written nothing.
        """
        files = {SECRETS + "/" + path.name: (secret, _SECRET_MODE) for path, secret in self.secrets.items()}
        files[self.path.name] = (self._text.decode(), _CONFIG_MODE)
        written: list[Path] = []
        try:
            if self.secrets:
                (folder / SECRETS).mkdir(mode=_SECRETS_MODE, exist_ok=True)
            for name, (text, mode) in files.items():
                _write_new(folder / name, text, mode, written.append)
        except BaseException:
            for path in written:
                path.unlink()
            raise
        return tuple(written)

    @property
    def _folder(self) -> Path:
        return self.path.parent / SECRETS

    @property
    def _text(self) -> bytes:
        return (json.dumps(self.content, ensure_ascii=False, indent=1) + "\n").encode()


def _folder_problems(config: Config) -> tuple[ConfigProblem, ...]:
    return folder_problems(config, only=service_folders(config), tries=runs_as_this_user(config))


def _remove(content: dict[str, Any], key: tuple[str, ...]) -> None:
    inner = content.get(key[0])
    if len(key) == 1:
        content.pop(key[0], None)
    elif isinstance(inner, dict):
        _remove(inner, key[1:])
        if not inner:
            del content[key[0]]


def _write_new(path: Path, text: str, mode: int, on_made: Callable[[Path], None]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    on_made(path)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 # a descriptor, not a path
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def put_all(draft: Draft, below: tuple[str, ...], values: Mapping[str, Json]) -> None:
    """Set values below a key; an empty value removes its key."""
    for name, value in values.items():
        draft.put((*below, name), value or None)
