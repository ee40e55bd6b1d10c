"""One answer, many targets: the items of a list or object in the JSON of a reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tallyd.contract.http import Reply
from tallyd.core.json_reply import Unreadable, parse
from tallyd.core.language.messages import english
from tallyd.core.texts import UNPRINTABLE
from tallyd.pollers.servers.sources.extraction import MOST_VALUES, JsonField

LONGEST_NAME = 200


@dataclass(frozen=True)
class Items:
    """The items of one reply: the time of each by its name, as it is written, or why there is none.

    `fault`: what is wrong with some items; they are left out.
    """

    times: Mapping[str, object | Unreadable] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True)
class Each:
    """Where the items are, and the name and the time in each. `name` None: items of an object have keys.

    An item that is missing for `forget_after_s` seconds is no target any more.
    """

    items: JsonField
    name: JsonField | None
    time: JsonField
    forget_after_s: float

    def items_of(self, reply: Reply) -> Items:
        """Return the items of a reply. Raises `Unreadable`."""
        found = self.items.of(parse(reply.body, most_values=MOST_VALUES))
        if isinstance(found, dict):
            pairs = [(key if self.name is None else self._name_of(item), item) for key, item in found.items()]
        elif isinstance(found, list):
            pairs = [(self._name_of(item), item) for item in found]
        else:
            raise Unreadable(english("without a list or an object in {field}", field=self.items.named))
        times: dict[str, object | Unreadable] = {}
        nameless = twice = 0
        for name, item in pairs:
            if name is None:
                nameless += 1
            elif name in times:
                twice += 1
            else:
                times[name] = self._time_of(item)
        return Items(times, _fault(len(pairs), nameless=nameless, twice=twice))

    def _name_of(self, item: object) -> str | None:
        """Return the name of an item; None: it has none that people can read."""
        try:
            found = self.name.of(item) if self.name else None
        except Unreadable:
            return None
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        if not isinstance(found, str) or not found.strip() or len(found) > LONGEST_NAME:
            return None
        return None if UNPRINTABLE.search(found) else found.strip()

    def _time_of(self, item: object) -> object | Unreadable:
        try:
            return self.time.of(item)
        except Unreadable as missing:
            return missing


def _fault(items: int, *, nameless: int, twice: int) -> str:
    if nameless and twice:
        return english(
            "with {items} items, {nameless} without a valid name and {twice} with a name that occurs before",
            items=items,
            nameless=nameless,
            twice=twice,
        )
    if nameless:
        return english("with {items} items, {nameless} without a valid name", items=items, nameless=nameless)
    if twice:
        return english("with {items} items, {twice} with a name that occurs before", items=items, twice=twice)
    return ""
