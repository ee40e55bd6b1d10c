"""Foreign text and lists in the form that people read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from tallyd.core.language.formats import percent, rounded_bounds, share_text
from tallyd.core.language.messages import english, mark, tr, translation

# Everything that could break a line, hide text or turn it around: C0, DEL, C1, soft hyphen, line and
# paragraph separators, bidirectional controls, zero-width characters, lone surrogates, the byte order mark,
# tags (a whole invisible alphabet).
UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)

_BETWEEN_REMARKS: Final = mark("; ")
_BETWEEN_ITEMS: Final = mark(", ")


def visible(text: str) -> str:
    r"""Return foreign text on one line, control characters shown as escapes.

    >>> visible("a\nb\x1b[31m")
    'a\\nb\\x1b[31m'
    """
    if text.isascii() and text.isprintable():  # as most texts are; a page has thousands
        return text
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def shortened(text: str, most: int) -> str:
    """Return visible `text` with at most `most` (1 or more) characters. An ellipsis replaces what was cut."""
    shown = visible(text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def first_reasons(reasons: str, most: int) -> str:
    """Return as many of several stored reasons as fit into `most` characters, and how many are left out.

    They are separated by semicolons. Each stays whole, because half a text is never translated. Only one that
    alone is too long is cut.
    """
    first, *others = reasons.split("; ")
    kept = shortened(first, most)
    while others and len(kept) + len("; ") + len(others[0]) <= most:
        kept += f"; {others.pop(0)}"
    left = english("{reasons:# more reason|# more reasons}", reasons=len(others))
    return f"{kept}; {left}" if others else kept


def listed(items: Sequence[str], *, most: int = 5, more: int = 0) -> str:
    """Return `a, b and c`; after `most` items, how many more there are, including `more` unlisted ones."""
    left = more + max(0, len(items) - most)
    shown = [*items[:most], tr("{left} more", left=left)] if left else [*items]
    if len(shown) < 2:
        return "".join(shown)
    return tr("{first} and {last}", first=items_text(shown[:-1]), last=shown[-1])


def remarks_text(remarks: Iterable[str]) -> str:
    """Return remarks one after the other: `late by 4 min; clock suspect`."""
    return translation(_BETWEEN_REMARKS).join(remarks)


def items_text(items: Iterable[str]) -> str:
    """Return all items, without a word between the last two: `a, b, c`."""
    return translation(_BETWEEN_ITEMS).join(items)


def bounds_text(low: float, high: float) -> str:
    """Return the bounds of a share in percent: `between 50.63% and 58.80%`, or `98.06%` if it is exact."""
    if low == high:
        return share_text(low)
    least, most = (percent(each, digits=2) for each in rounded_bounds(low, high))
    return tr("between {least} and {most}", least=least, most=most)
