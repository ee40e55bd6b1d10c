r"""A plain text, written so that a service which reads markup shows it as it is.

Rocket.Chat reads Markdown of its own kind (packages/message-parser in its repository). A backslash is taken
away only before `*`, `_`, `~`, backtick, `#` and `.`, elsewhere it would be seen; and where the raw message
is shown (push notifications, older apps) it is seen in any case. So backslashes are put only before what
would really become markup, and everything else is broken up by a zero-width space, which nobody sees.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_APART = "\u200b"

# What turns a line into a quotation, a heading, a list (whose numbers would be counted anew) or a spoiler.
_BLOCK = re.compile(r"[ \t]*(?:>|#{1,6}[ \t]|[-*+][ \t]|\d+\.[ \t]|\|\|)")
# Places behind which something becomes more than its characters.
_SPECIAL = re.compile(
    r"""
      (?<![A-Za-z0-9])[@\#](?=[^\s@\#])     # mentions of people (all of them: @all, @here) and channels
    | \](?=\()                              # [text](link), ![title](picture)
    | <(?=\S)                               # <link|text>, <t:time>
    | \|(?=\|)                              # ||spoiler||
    | :(?!\d\d:)(?=[A-Za-z0-9_+.-]+:)      # :smile:, but not 08:00:00
    | :(?=[-^']?[][()DPOLX*@$.|])           # :) and its like become pictures,
    | (?<![A-Za-z0-9])[8BX;=%](?=[-^']?[])(DP\[]) # so does the end of "3 of 8)"
    | \\(?=[*_~`\#.(\[<])                   # a backslash that is meant
    """,
    re.VERBOSE,
)
_EMPHASIS = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|[*~`]")


def for_rocketchat(text: str) -> str:
    """Return `text` for Rocket.Chat, line by line: emphasis and code end with the line there."""
    return "\n".join(map(_rocketchat_line, text.split("\n")))


def _rocketchat_line(line: str) -> str:
    begin = _APART if _BLOCK.match(line) else ""
    shown = _SPECIAL.sub(lambda found: found[0] + _APART, line)
    marks = _EMPHASIS.findall(shown)
    # It takes two of a kind to emphasize; a single asterisk stays without a backslash.
    paired = {mark for mark in marks if marks.count(mark) > 1}
    return begin + _EMPHASIS.sub(lambda found: "\\" * (found[0] in paired) + found[0], shown)


def for_telegram(text: str) -> str:
    """Return `text` in the HTML of Telegram's bots, which knows no `<br>` and keeps line feeds and spaces.

    Empty lines are written as entities, for Apprise takes them out.
    """
    return re.sub(r"(?<=\n)\n", "&#10;", html.escape(text, quote=False))


def as_html(text: str) -> str:
    """Return `text` as HTML in which lines and runs of spaces survive, and long lines may still wrap."""
    spaced = re.sub(r"(?<= ) |^ ", "&nbsp;", html.escape(text, quote=False), flags=re.MULTILINE)
    return spaced.replace("\n", "<br/>")


def html_link(url: str) -> str:
    """Return a link that shows its own address."""
    shown = html.escape(url)
    return f'<a href="{shown}">{shown}</a>'


def pieces(text: str, most: int) -> Iterator[str]:
    """Yield `text` in pieces of at most `most` characters, cut at the last line feed that allows it."""
    while len(text) > most:
        at = text.rfind("\n", 0, most + 1)
        cut, rest = (at, at + 1) if at > 0 else (most, most)
        yield text[:cut]
        text = text[rest:]
    yield text
