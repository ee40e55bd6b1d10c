"""Where the time is in an HTTP reply: in a field of its JSON, in a header, or in its text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

from tallyd.contract.http import Reply
from tallyd.core.json_query import InapplicableError, search
from tallyd.core.json_reply import Unreadable, parse
from tallyd.core.language.messages import english, mark
from tallyd.core.texts import shortened, visible

MOST_VALUES: Final = 30_000
"""Most values of JSON in one reply: many may arrive at the same time."""
_QUERY: Final = re.compile(r"[][(){}|*?&@'\"`]")
"""A `field` with one of these characters is JMESPath."""


class Extraction(Protocol):
    """Finds the time in a reply."""

    @property
    def named(self) -> str:
        """What holds the time, for messages."""
        ...

    def value(self, reply: Reply) -> object:
        """Return the time as it is written. Raises `Unreadable`."""
        ...


@dataclass(frozen=True)
class JsonField:
    """A field of the JSON: the names on the way to it, with dots between them, or JMESPath."""

    written: str

    @property
    def named(self) -> str:
        """The field, as the config writes it."""
        return shortened(self.written, 80)

    def value(self, reply: Reply) -> object:
        """Return the value of the field. Raises `Unreadable`."""
        return self.of(parse(reply.body, most_values=MOST_VALUES))

    def of(self, content: object) -> object:
        """Return the value of the field in parsed JSON. Raises `Unreadable`."""
        return self._found(content) if is_query(self.written) else self._named_one(content)

    def _found(self, content: object) -> object:
        try:
            found = search(self.written, content)
        except InapplicableError as error:
            why = english(
                "with JSON to which {field} cannot be applied: {why}", field=visible(self.named), why=error
            )
            raise Unreadable(why) from None
        if found is None:
            raise Unreadable(english("without a value for {field}", field=visible(self.named)))
        return found

    def _named_one(self, content: object) -> object:
        names = self.written.split(".")
        for number, name in enumerate(names):
            if isinstance(content, dict) and name in content:
                content = content[name]
            elif isinstance(content, list) and name.isdecimal() and int(name) < len(content):
                content = content[int(name)]
            else:
                missing = visible(".".join(names[: number + 1]))
                raise Unreadable(english("without {field}", field=missing))
        return content


def is_query(field: str) -> bool:
    """Whether a `field` is JMESPath."""
    return bool(_QUERY.search(field))


@dataclass(frozen=True)
class ReplyHeader:
    """A header of the reply."""

    name: str

    @property
    def named(self) -> str:
        """The header, for messages."""
        return english("header {name}", name=self.name)

    def value(self, reply: Reply) -> object:
        """Return the value of the header. Raises `Unreadable`."""
        found = reply.headers.get(self.name.lower())
        if found is None:
            raise Unreadable(english("without {field}", field=self.named))
        return found


@lru_cache(maxsize=1024)
def text_pattern(written: str) -> Any:
    """Return a regular expression of RE2 in the form that searches. Raises ValueError if it is none.

    RE2 takes time in proportion to the length of a reply. `re` goes back and tries again: some replies would
    hold up the whole process for minutes. It is imported only where a config uses it.
    """
    import re2  # noqa: PLC0415 # see above

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(f"(?m){written}", options)
    except re2.error:
        raise ValueError("no regular expression of RE2") from None


@dataclass(frozen=True)
class TextMatch:
    """What the one group of a regular expression matches in the body, as UTF-8."""

    pattern: str

    @property
    def named(self) -> str:
        """What was found, for messages."""
        return mark("the text found")

    def value(self, reply: Reply) -> object:
        """Return what the group matches at its first place. Raises `Unreadable`."""
        found = text_pattern(self.pattern).search(reply.body.decode(errors="replace"))
        if found is None or found[1] is None:
            raise Unreadable(mark("without a match of `text`"))
        return found[1]
