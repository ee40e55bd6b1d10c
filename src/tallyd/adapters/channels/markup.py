r"""Escapes plain text, so that a service which reads markup shows it as it is.

Rocket.Chat has its own Markdown (packages/message-parser in its repository). It removes a backslash only
before `*`, `_`, `~`, backtick, `#` and `.`. Elsewhere people see the backslash, and in push notifications and
older apps they always see it. So a backslash stands only before characters that would really become markup.
Everything else is broken up by an invisible zero-width space.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_APART = "\u200b"

# Makes a line a quotation, a heading, a list (which would be renumbered) or a spoiler.
_BLOCK = re.compile(r"[ \t]*(?:>|#{1,6}[ \t]|[-*+][ \t]|\d+\.[ \t]|\|\|)")
# After these characters, something would become markup.
_SPECIAL = re.compile(
    r"""
      (?<![A-Za-z0-9])[@\#](?=[^\s@\#])     # mentions of people (all of them: @all, @here) and channels
    | \](?=\()                              # [text](link), ![title](picture)
    | <(?=\S)                               # <link|text>, <t:time>
    | \|(?=\|)                              # ||spoiler||
    | :(?!\d\d:)(?=[A-Za-z0-9_+.-]+:)      # :smile:, but not 08:00:00
    | :(?=[-^']?[][()DPOLX*@$.|])           # :) and its like become pictures,
    | (?<![A-Za-z0-9])[8BX;=%](?=[-^']?[])(DP\[]) # so does the end of "3 of 8)"
    | \\(?=[*_~`\#.(\[<])                   # a backslash of the text itself
    """,
    re.VERBOSE,
)
_EMPHASIS = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|[*~`]")


def for_rocketchat(text: str) -> str:
    """Return `text` for Rocket.Chat, line by line, because emphasis and code end with the line."""
    return "\n".join(map(_rocketchat_line, text.split("\n")))


def _rocketchat_line(line: str) -> str:
    begin = _APART if _BLOCK.match(line) else ""
    shown = _SPECIAL.sub(lambda found: found[0] + _APART, line)
    marks = _EMPHASIS.findall(shown)
    # Emphasis needs two of the same kind. A single asterisk needs no backslash.
    paired = {mark for mark in marks if marks.count(mark) > 1}
    return begin + _EMPHASIS.sub(lambda found: "\\" * (found[0] in paired) + found[0], shown)


def for_telegram(text: str) -> str:
    """Return `text` as HTML for Telegram, which has no `<br>` and keeps line feeds and spaces.

    Empty lines become entities, because Apprise would remove them.
    """
    return re.sub(r"(?<=\n)\n", "&#10;", html.escape(text, quote=False))


def as_html(text: str) -> str:
    """Return `text` as HTML that keeps lines and multiple spaces. Long lines may still wrap."""
    spaced = re.sub(r"(?<= ) |^ ", "&nbsp;", html.escape(text, quote=False), flags=re.MULTILINE)
    return spaced.replace("\n", "<br/>")


def html_link(url: str) -> str:
    """Return an HTML link whose text is the URL."""
    shown = html.escape(url)
    return f'<a href="{shown}">{shown}</a>'


def pieces(text: str, most: int) -> Iterator[str]:
    """Yield `text` in pieces of at most `most` characters, cut at line feeds if possible."""
    while len(text) > most:
        at = text.rfind("\n", 0, most + 1)
        cut, rest = (at, at + 1) if at > 0 else (most, most)
        yield text[:cut]
        text = text[rest:]
    yield text
