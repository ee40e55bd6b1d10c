from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from tallyd.core.reading import Json


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A file in the inbox that may be taken.

    `name` is its path below the inbox as it can be shown and stored: bytes that are no UTF-8 and control
    characters are written as escapes, and it is at most 209 bytes long. `key` finds it again.
    """

    source: str
    name: str
    size: int
    modified_at: datetime
    key: bytes


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look into the inbox found.

    `state`: `gone` where the folder is not there, `unmounted` where nothing is mounted on it but something
    must be. `waiting` are the files that may be taken, oldest first; `unsettled` is how many are still being
    written. `arrivals` is when the newest file of each source came that any look of this process saw, taken
    or not.
    `untakable` are files that can't be read or moved, with the reason. `more` is how many files may be taken
    besides those that are `waiting`; they are offered once these are gone. `is_blind`: the folder is there,
    but what lies in it could not be seen, as `untakable` says.
    """

    state: Literal["here", "gone", "unmounted"]
    waiting: tuple[Waiting, ...] = ()
    more: int = 0
    unsettled: int = 0
    arrivals: Mapping[str, datetime] = field(default_factory=dict)
    untakable: Mapping[str, str] = field(default_factory=dict)
    is_blind: bool = False


class OpenFile(Protocol):
    """A file of the inbox, opened once. `sha256` is right once all chunks were read."""

    @property
    def sha256(self) -> str: ...

    @property
    def size(self) -> int: ...

    def chunks(self) -> Iterator[bytes]:
        """Yield the content from the beginning; may be called again. Raises `InboxError`."""
        ...

    def is_unchanged(self) -> bool:
        """Whether it is still the file that was opened, of the same size and time of change."""
        ...


class Inbox(Protocol):
    """One poller's folder, into which others drop files."""

    def look(self) -> Look:
        """Look into the folder and its sub-folders once. Raises nothing: what is wrong is in the `Look`."""
        ...

    def open(self, waiting: Waiting) -> AbstractContextManager[OpenFile]:
        """Open a file. Raises `InboxError` where it is no regular file, or can't be read now."""
        ...

    def held(self) -> AbstractContextManager[None]:
        """Keep folders open until the end of the block, while many files are opened and put aside.

        Another folder that takes the place of one of them is found at the next look.
        """
        ...

    def done(self, waiting: Waiting, *, delete: bool = False) -> None:
        """Move (or delete) a file that was stored; fine where it is gone. Raises `InboxError`."""
        ...

    def rejected(self, waiting: Waiting, reason: Mapping[str, Json]) -> None:
        """Move a file that was refused, and write the reason beside it. Raises `InboxError`."""
        ...
