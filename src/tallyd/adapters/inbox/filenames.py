"""Makes sources, names to show, and names of moved files from the names that others chose.

A name comes in as `os.fsdecode` returns it. In the results, bytes that are not UTF-8, control characters and
other characters that could hide or reverse text are escaped. So is the backslash. Therefore two different
names never look the same.
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
# The hash has 128 bits or more, so nobody can find two folders with the same one.
_SOURCE_HEAD_BYTES = MOST_BYTES - 33
_LONGEST_SUFFIX_BYTES = 20


def is_ignored(name: str) -> bool:
    """Whether the name says that a file or folder is hidden, or that it is still being written."""
    return _is_ignored(name) is not None


class Pattern:
    """A shell pattern for file names, case sensitive. Ignored names never match."""

    def __init__(self, pattern: str) -> None:
        # One expression for both, because every look checks every file.
        self.match = re.compile(f"(?!{_IGNORED}){fnmatch.translate(pattern)}").match

    def wants(self, name: str) -> bool:
        """Whether a file with this name is looked at."""
        return self.match(name) is not None


def escaped(name: str) -> str:
    r"""Return a name that can be shown and stored. Different names give different texts.

    A byte that is not UTF-8 becomes `\xff`, a code point `\n`, `\x1b` or `\u200b`, a backslash `\\`.
    """
    # File systems store bytes. They are UTF-8 here, whatever the locale says.
    text = name if name.isascii() else os.fsencode(name).decode("utf-8", "surrogateescape")
    return _ODD.sub(_escape, text)


def shown(path: str) -> str:
    """Return a path in the form of `contract.Waiting.name`."""
    if path.isascii() and path.isprintable() and "\\" not in path and len(path) <= MOST_BYTES:
        return path  # the usual case, ten times faster
    text = escaped(path)
    content = text.encode("utf-8")
    return text if len(content) <= MOST_BYTES else f"{_cut(content, MOST_BYTES)}-{_digest(path)[:8]}"


def source_of(folder: str) -> str:
    """Return the source for a folder name, at most 200 bytes. Different folders give different sources.

    A name of 200 bytes or more is cut, and its hash is added up to exactly 200 bytes. Shorter names have
    fewer bytes, so the two never collide.
    """
    text = escaped(folder)
    content = text.encode("utf-8")
    if len(content) < MOST_BYTES:
        return text
    head = _cut(content, _SOURCE_HEAD_BYTES)
    return f"{head}-{_digest(folder)[: MOST_BYTES - 1 - len(head.encode('utf-8'))]}"


def flat_name(below: Sequence[str], pattern: Pattern) -> str:
    """Return the name for a moved file, at most 209 bytes.

    `below` is its path below the source's folder. Sub-folders become part of the name (`day__081500.json`) if
    it then still matches the pattern, so that it can be replayed. The suffix stays. The name never ends with
    `.reason.json`, which is the name of the file beside it.
    """
    text = escaped(below[-1])
    if len(below) > 1 and pattern.wants(joined := "__".join(map(escaped, below))):
        text = joined
    if text.endswith(REASON):
        text = text.removesuffix(REASON) + ".reason_.json"
    if len(text.encode("utf-8")) <= MOST_BYTES:
        return text
    stem, suffix = _split(text)
    head = _cut(stem.encode("utf-8"), MOST_BYTES - len(suffix.encode("utf-8")))
    return f"{head}-{_digest('/'.join(below))[:8]}{suffix}"


def free_names(name: str) -> Iterator[str]:
    """Yield a name, then similar ones in case it exists: with `-2` to `-9`, then with random text."""
    yield name
    stem, suffix = _split(name)
    for number in range(2, 10):
        yield f"{stem}-{number}{suffix}"
    # The same name may come every second all day. Counting further would try thousands.
    for _ in range(9):
        yield f"{stem}-{secrets.token_hex(6)}{suffix}"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte, from surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return found[0].encode("unicode_escape").decode("ascii")
    # Not \x80 to \xff, which stand for bytes.
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _split(name: str) -> tuple[str, str]:
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 # a name, not a path
    return (stem, suffix) if len(suffix.encode("utf-8")) <= _LONGEST_SUFFIX_BYTES else (name, "")


def _cut(content: bytes, most: int) -> str:
    return content[:most].decode("utf-8", "ignore")


def _digest(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()
