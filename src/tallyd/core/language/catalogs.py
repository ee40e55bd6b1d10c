"""The translations of each language, and how a message is filled for its reader."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from gettext import GNUTranslations
from importlib.resources import files
from typing import Final, Literal, TypeAlias

from tallyd.core.language.formats import number_text
from tallyd.core.language.languages import Language
from tallyd.core.language.templates import read_template

Domain: TypeAlias = Literal["tallyd", "stored"]
"""A catalog: what is said now, and what was stored in English."""
TALLYD: Final = {"tallyd": "{tallyd}"}
"""Who shows a text replaces this placeholder by the command as it is called there."""


@lru_cache
def catalog(domain: Domain, wanted: Language) -> Mapping[str, str]:
    """Return the translations of a language, compiled when the package was built.

    If they are missing or damaged, it is empty: a notice in English is better than none.
    """
    folder = files("tallyd.core.language") / "locale" / wanted.replace("-", "_") / "LC_MESSAGES"
    try:
        with (folder / f"{domain}.mo").open("rb") as content:
            known: dict[str, str] = GNUTranslations(content)._catalog  # type: ignore[attr-defined] # all at once
    except (OSError, ValueError, struct.error):
        return {}
    return {message: shown for message, shown in known.items() if message}  # the empty one is the header


def in_catalog(message: str, domain: Domain, wanted: Language) -> str:
    """Return a message in a language, its placeholders still in it; an unknown one as it is."""
    return catalog(domain, wanted).get(message, message)


def filled(message: str, values: Mapping[str, object]) -> str:
    """Return a message with its values, as the reader's language writes them."""
    return read_template(message).filled({**TALLYD, **values}, _shown)


def _shown(value: object) -> str:
    return number_text(value) if isinstance(value, int | float) else str(value)
