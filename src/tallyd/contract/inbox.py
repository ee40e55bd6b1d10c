"""A folder of files as a poller sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol, TypeAlias

from tallyd.core.reading import Json

Identity: TypeAlias = "tuple[int, int, int, int]"
"""Device, inode, size in bytes, modification time in ns: differs for another file or another content."""

_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def instant(changed_ns: int) -> datetime:
    """Return a modification time as an instant, to the microsecond. Limited to the years 1 to 9999."""
    try:
        return datetime.fromtimestamp(changed_ns / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return _LATEST if changed_ns > 0 else _EARLIEST


class Waiting(NamedTuple):
    """A file in the inbox that is ready to ingest.

    `name` is its path below the inbox, in a form that can be shown and stored: bytes that are not UTF-8, and
    control characters, are escaped. It has at most 209 bytes. `key` finds the file again, and `identity` says
    whether it is still the same.
    """

    source: str
    name: str
    key: str
    identity: Identity

    @property
    def size(self) -> int:
        return self.identity[2]

    @property
    def modified_at(self) -> datetime:
        return instant(self.identity[3])


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look into the inbox found.

    `state`: `gone` if the folder is missing, `unmounted` if nothing is mounted on it but something must be.
    `waiting`: the files that are ready, oldest first. `unsettled`: how many files are still being written.
    `arrivals`: the time of the newest file of each source that any look of this process saw, ingested or not.
    `untakable`: files that cannot be read or moved, with the reason. `more`: how many files are ready besides
    those in `waiting`; a later look offers them. `is_blind`: the folder exists, but its content could not be
    read; `untakable` has the reason.
    """

    state: Literal["here", "gone", "unmounted"]
    waiting: tuple[Waiting, ...] = ()
    more: int = 0
    unsettled: int = 0
    arrivals: Mapping[str, datetime] = field(default_factory=dict)
    untakable: Mapping[str, str] = field(default_factory=dict)
    is_blind: bool = False


class Inbox(Protocol):
    """The folder of one poller into which other programs drop files."""

    def look(self) -> Look:
        """Look into the folder and its sub-folders once. It raises nothing: the `Look` has every problem."""
        ...

    def chunks(self, waiting: Waiting) -> Iterator[bytes]:
        """Yield the content of a file in pieces of at most 256 KiB.

        Raises `InboxError` if it is not a regular file, cannot be read now, or is not the file that the look
        found, at its end at the latest.
        """
        ...

    def is_unchanged(self, waiting: Waiting) -> bool:
        """Whether the name still has the same file, with the same size and time of change."""
        ...

    def held(self) -> AbstractContextManager[None]:
        """Keep folders open until the end of the block, while many files are opened and moved.

        If somebody replaces one of the folders, the next look finds the new one.
        """
        ...

    def done(self, waiting: Waiting, *, delete: bool = False) -> None:
        """Move (or delete) a stored file. If it is gone, that is fine. Raises `InboxError`."""
        ...

    def rejected(self, waiting: Waiting, reason: Mapping[str, Json]) -> None:
        """Move a rejected file, and write the reason beside it. Raises `InboxError`."""
        ...
