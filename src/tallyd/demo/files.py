"""The files that the daemon took, told by what it says line by line: out files hold people, not files."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_TAKEN = re.compile(r"\S+ \S+ \S+ INFO \S+ sweep: files taken (.*)")
_AMOUNT = re.compile(r"\b(done|empty|rejected)=(\d+)")


@dataclass(frozen=True)
class Files:
    """How many files were taken: with records, without any, and refused ones."""

    done: int = 0
    empty: int = 0
    rejected: int = 0

    @property
    def number(self) -> int:
        """All of them."""
        return self.done + self.empty + self.rejected

    def and_those_of(self, line: str) -> Files:
        """Return them with those that a line of the daemon tells of, if it does."""
        found = _TAKEN.fullmatch(line)
        if found is None:
            return self
        more = {name: getattr(self, name) + int(amount) for name, amount in _AMOUNT.findall(found[1])}
        return replace(self, **more)

    def since(self, before: Files) -> Files:
        """Return those that came since `before`."""
        return Files(self.done - before.done, self.empty - before.empty, self.rejected - before.rejected)

    def __str__(self) -> str:
        """Return `12 files (5 empty, 1 refused)`."""
        parts = [f"{self.empty} empty"] if self.empty else []
        parts += [f"{self.rejected} refused"] if self.rejected else []
        files = f"{self.number} file{'' if self.number == 1 else 's'}"
        return f"{files} ({', '.join(parts)})" if parts else files
