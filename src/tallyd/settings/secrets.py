"""Secrets in the config: written directly or as a reference, and never shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from tallyd.core.language.messages import english
from tallyd.core.texts import UNPRINTABLE
from tallyd.settings.types import wrong

_PLACEHOLDER = re.compile(
    # Only texts that nobody would choose as a secret: the message shows them.
    r"(?i)[<\[{]?(?:(?:put|insert|enter|paste|add)[_ -]?)?(?:(?:your|my|the|dein(?:en?)?|ihr(?:en?)?)[_ -]?)?"
    r"(?:divera[_ -]?)?(?:access|api)?[_ -]?(?:key|token|password|secret|url)(?:[_ -]?here)?[>\]}]?"
    r"|(?:change|replace)[_ -]?(?:me|this)|x{3,}(?:[_ -]x{2,})*|\*{3,}|\.{3,}|todo"
)
_SHORTEST_SECRET = 4
ReadSecret: TypeAlias = Callable[[str], str]
"""Returns the secret that a reference names."""
NEAR_REFERENCE = re.compile(
    r"\s*(?P<scheme>(?i:env|file|credential))\s*:|\$(?:[A-Z_][A-Z0-9_]*|\{[A-Za-z0-9_]+\})\Z"
)
"""The begin of a reference to a secret, or of what was perhaps meant as one."""


UNREADABLE_CREDENTIAL = "unreadable-credential"
"""Stands for a secret that only the service can read, so that the rest of a config can be checked."""


class NamedFiles(Protocol):
    """Reads what the config refers to. Each method raises `wrong()` with what to do."""

    def read(self, written: str) -> str:
        """Return the secret that `written` is or refers to."""
        ...

    def reference(self, written: str) -> str:
        """Return the reference that `written` is, with an absolute path; empty if it is the secret itself."""
        ...

    def path_of(self, written: str) -> Path:
        """Return the path of a named file, and have it watched for changes."""
        ...

    def read_object(self, written: str) -> dict[str, object]:
        """Return the JSON object in a named file, and have it watched for changes."""
        ...


def named_files(info: ValidationInfo) -> NamedFiles | None:
    """Return the reader of the config that is being validated; None without a config."""
    reader: NamedFiles | None = (info.context or {}).get("secrets")
    return reader


class Secret:
    """A value that never shows itself: not in repr, a message or JSON. Use `reveal()` to send it.

    `reference` says where it was read (`env:NAME`, `file:/PATH`); empty if it was written directly. Only that
    goes to another process (by pickle), where it becomes a `Reference`.
    """

    __slots__ = ("_value", "reference")

    def __init__(self, value: str, reference: str = "") -> None:
        self._value = value
        self.reference = reference

    def reveal(self, read: ReadSecret | None = None) -> str:
        """Return the value itself. Only to send it to its owner, and for redaction.

        `read` reads a secret of which this process knows only the reference.
        """
        del read
        return self._value

    @property
    def can_travel(self) -> bool:
        """Whether another process may be told of it."""
        return bool(self.reference)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        if not self.reference:
            raise TypeError("a secret that is written directly never goes to another process")
        return Reference, (self.reference,)

    @property
    def is_secret(self) -> bool:
        """Whether it must stay one; see `settings.headers.Plain`."""
        return True

    @property
    def is_known(self) -> bool:
        """Whether the secret was read. Nothing is known about one that was not."""
        return self._value != UNREADABLE_CREDENTIAL

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls.read, serialization=core_schema.plain_serializer_function_ser_schema(lambda _: "***")
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "format": "password"}

    def check(self, check: Callable[[str], object]) -> Secret:
        """Return the secret if `check` does not raise on its value. A secret that was not read is fine."""
        if self.is_known:
            check(self._value)
        return self

    @classmethod
    def read(cls, written: object, info: ValidationInfo) -> Secret:
        """Return the secret that a config holds or refers to. Raises `wrong()`."""
        if isinstance(written, Secret):
            return written
        if not isinstance(written, str):
            raise wrong('must be text: the secret itself, or "env:NAME", "file:PATH" or "credential:NAME"')
        reader = named_files(info)
        value = reader.read(written) if reader else written
        reference = reader.reference(written) if reader else ""
        if not value.strip():
            raise wrong("is empty")
        if value != value.strip() or UNPRINTABLE.search(value):
            text = english(
                "contains a line break, a control or invisible character, or spaces around it; "
                "put only the secret there"
            )
            raise wrong(text)
        if _PLACEHOLDER.fullmatch(value):
            raise wrong(english('"{name}" is a placeholder; replace it with the real value', name=value))
        if len(value) < _SHORTEST_SECRET:
            # It would occur by chance in every log line, so it could not be kept out of the log.
            raise wrong(
                english("is too short for a secret; use at least {least} characters", least=_SHORTEST_SECRET)
            )
        return cls(value, reference)


class Reference(Secret):
    """A secret in a process that was only told where it is."""

    __slots__ = ()

    def __init__(self, reference: str) -> None:
        super().__init__("", reference)

    def reveal(self, read: ReadSecret | None = None) -> str:
        """Return what `read` finds. Raises what it raises."""
        if read is None:
            raise AssertionError("a reference has no value")
        return read(self.reference)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and other.reference == self.reference

    def __hash__(self) -> int:
        return hash(self.reference)


def is_placeholder(text: str) -> bool:
    """Whether a text is a placeholder for the real one: `YOUR_KEY`, `TOKEN`, `changeme`."""
    return bool(_PLACEHOLDER.fullmatch(text))
