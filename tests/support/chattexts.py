"""Texts that are full of what chats take for markup, and what is left of one when a chat shows it."""

from __future__ import annotations

import re

NASTY = """\
*bold* and **bold**, _x_ and __x__, ~gone~, snake_case, [a](http://b.example), ![p](http://b.example/p.png)
`code` and ```code``` & <b>bold</b> &amp; &lt;i&gt; <http://b.example|there> <t:1630360800:R>
> quoted
# Heading
- item *
3. third
@all: ask @here, @anna.schmidt or me@post.example in #general; 08:00:00 (3 of 8) :smile: :) C:\\new\\*

  zwei  Leerzeichen, Größe ÄÖÜß, 中文字符, 😀👩‍👩‍👧 ||hidden|| $$x$$ \\(y\\)
das Ende"""

_ESCAPED = re.compile(r"\\([*_~`#.])")


def shown_by_rocketchat(text: str) -> str:
    """Return what a reader sees of a text without markup: escaped characters, and no zero-width spaces."""
    return _ESCAPED.sub(r"\1", text).replace("\u200b", "")
