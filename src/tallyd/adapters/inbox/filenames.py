"""How names of the outside become sources, shown names and names of files that were put aside.

A name is text as `os.fsdecode` gives it; in what comes out of here, bytes that are no UTF-8, control
characters and whatever else could hide or turn text are escapes, and so is the backslash, so that two names
never look the same.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Sequence

from tallyd.core.texts import UNPRINTABLE

REASON = ".reason.json"
MOST_BYTES = 200
_IGNORED = r"\.|(?s:.*)(?i:\.tmp|\.part|\.filepart|~)\Z"
_is_ignored = re.compile(_IGNORED).match
_ODD = re.compile(r"\\|" + UNPRINTABLE.pattern)
# One hundred and twenty-eight bits and more: nobody finds two folders with the same.
_SOURCE_HEAD_BYTES = MOST_BYTES - 33
_LONGEST_SUFFIX_BYTES = 20


def is_ignored(name: str) -> bool:
    """Whether a file or folder is hidden or still being written, by its name."""
    return _is_ignored(name) is not None


class Pattern:
    """A shell pattern for names of files; upper and lower case differ. Nothing that is ignored fits it."""

    def __init__(self, pattern: str) -> None:
        # One expression, for it is asked of every file at every look.
        self.match = re.compile(f"(?!{_IGNORED}){fnmatch.translate(pattern)}").match

    def wants(self, name: str) -> bool:
        """Whether a file of that name is looked at."""
        return self.match(name) is not None


def escaped(name: str) -> str:
    r"""Return a name that can be shown and stored; other names give other texts.

    A byte that is no UTF-8 is `\xff`, a code point `\n`, `\x1b`, `\u200b`, a backslash `\\`.
    """
    # File systems hold bytes; what is no ASCII is UTF-8 here, whatever the locale says.
    text = name if name.isascii() else os.fsencode(name).decode("utf-8", "surrogateescape")
    return _ODD.sub(_escape, text)


def shown(path: str) -> str:
    """Return a path as `contract.Waiting.name` has it."""
    if path.isascii() and path.isprintable() and "\\" not in path and len(path) <= MOST_BYTES:
        return path  # nearly all of them, in a tenth of the time
    text = escaped(path)
    content = text.encode("utf-8")
    return text if len(content) <= MOST_BYTES else f"{_cut(content, MOST_BYTES)}-{_digest(path)[:8]}"


def source_of(folder: str) -> str:
    """Return the source that a folder's name stands for, at most 200 bytes; other folders give others.

    What has 200 bytes and more as text is cut, and filled up to exactly 200 with its hash: no name that was
    left whole is as long.
    """
    text = escaped(folder)
    content = text.encode("utf-8")
    if len(content) < MOST_BYTES:
        return text
    head = _cut(content, _SOURCE_HEAD_BYTES)
    return f"{head}-{_digest(folder)[: MOST_BYTES - 1 - len(head.encode('utf-8'))]}"


def flat_name(below: Sequence[str], pattern: Pattern) -> str:
    """Return the name under which a file is put aside, at most 209 bytes.

    `below` is its path below the source's folder. Sub-folders stand before the name (`day__081500.json`)
    unless it would then not fit the pattern, which it must to be taken again. The suffix stays. It never ends
    in `.reason.json`: that is the file beside it.
    """
    joined = "__".join(escaped(name) for name in below)
    text = joined if pattern.wants(joined) else escaped(below[-1])
    if text.endswith(REASON):
        text = text.removesuffix(REASON) + ".reason_.json"
    if len(text.encode("utf-8")) <= MOST_BYTES:
        return text
    stem, suffix = _split(text)
    head = _cut(stem.encode("utf-8"), MOST_BYTES - len(suffix.encode("utf-8")))
    return f"{head}-{_digest('/'.join(below))[:8]}{suffix}"


def free_names(name: str) -> Iterator[str]:
    """Yield a name, then others like it to be tried where it is taken: `-2` to `-9`, then by chance."""
    yield name
    stem, suffix = _split(name)
    for number in range(2, 10):
        yield f"{stem}-{number}{suffix}"
    # One name may come every second, all day: counting on would try thousands.
    for _ in range(9):
        yield f"{stem}-{secrets.token_hex(6)}{suffix}"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape's sign for a byte
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return found[0].encode("unicode_escape").decode("ascii")
    # Never \x80 to \xff: those are bytes.
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _split(name: str) -> tuple[str, str]:
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 # a name, not a path
    return (stem, suffix) if len(suffix.encode("utf-8")) <= _LONGEST_SUFFIX_BYTES else (name, "")


def _cut(content: bytes, most: int) -> str:
    return content[:most].decode("utf-8", "ignore")


def _digest(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()
