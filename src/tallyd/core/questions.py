"""What a person is asked, so that a config is written for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tallyd.core.reading import Json

NO = "no"
"""The answer to an optional question that leaves its key out of the config."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question. Its answer becomes one value of the config.

    `key` is the place of that value below the poller (`("report", "url")`), or below the top of the file.
    `help` is one line for the person. `default` is the answer that Enter gives; None: there is none.

    `read` turns what was typed into the value; None leaves the key out. It refuses nothing: the config's own
    rules say what is wrong with an answer, and the question is asked again.

    `secret` is the name of the file below `secrets/` for an answer that must not be shown. `only_with` is
    another key: the question is asked only where the config has it. `tries`: after this answer the source is
    asked, with all answers up to here.
    """

    key: tuple[str, ...]
    text: str
    help: str
    default: str | None = None
    read: Callable[[str], Json] = str
    secret: str | None = None
    only_with: tuple[str, ...] = ()
    tries: bool = False


def optional(read: Callable[[str], Json]) -> Callable[[str], Json]:
    """Return a `read` that leaves the key out when the answer is `no`."""
    return lambda typed: None if typed.casefold() == NO else read(typed)


def words(typed: str) -> list[Json]:
    """Return the parts of an answer between its commas and spaces."""
    return [word for word in re.split(r"[,\s]+", typed) if word]
