"""The questions to a person for whom tallyd writes a config."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tallyd.core.language.messages import mark, translation
from tallyd.core.reading import Json

NO = mark("no")
"""The answer to an optional question that leaves its key out of the config."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question. Its answer becomes one value of the config. `text`, `help` and `default` are translated.

    `key` is the place of that value below the poller (`("report", "url")`), or below the top of the file.
    `help` is one line for the person. `default` is the answer for Enter; None: there is none.

    `read` turns the typed text into the value; None leaves the key out. It rejects nothing: the rules of the
    config say what is wrong with an answer, and the question comes again.

    `secret` is the name of the file below `secrets/` for an answer that must not be shown. `only_with` is
    another key: the question comes only if the config has it. `tries`: after this answer tallyd asks the
    source, with all answers so far.
    """

    key: tuple[str, ...]
    text: str
    help: str
    default: str | None = None
    read: Callable[[str], Json] = str
    secret: str | None = None
    only_with: tuple[str, ...] = ()
    tries: bool = False


def optional(read: Callable[[str], Json], *, without: str = NO) -> Callable[[str], Json]:
    """Return a `read` that leaves the key out if the answer is `without`, also in the reader's language."""
    return lambda typed: None if typed.casefold() in (without, translation(without)) else read(typed)


def words(typed: str) -> list[Json]:
    """Return the parts of an answer between its commas and spaces."""
    return [word for word in re.split(r"[,\s]+", typed) if word]
