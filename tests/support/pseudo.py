"""tallyd with a language in which every translated word stands in brackets, to find what is not translated.

`python -m support.pseudo --config FILE run` is `tallyd`, and German is that language.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import cache
from gettext import NullTranslations

from tallyd.core.language import messages
from tallyd.core.language.languages import Language
from tallyd.core.language.messages import Domain

_PIECE = re.compile(r"\{[^{}\[\]]*\}|\[\[|\]\]|\{\{|\}\}|[\[\]]|[^\[\]{}]+")
OPENS, CLOSES = (
    "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}",
    "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}",
)


def in_brackets(message: str) -> str:
    """Return a message with its own words in brackets, and its placeholders outside of them."""
    return "".join(map(_marked, _PIECE.findall(message)))


def _marked(piece: str) -> str:
    if piece.startswith("{") and ":" in piece:
        name, _, forms = piece[1:-1].partition(":")
        return f"{{{name}:{'|'.join(OPENS + form + CLOSES for form in forms.split('|'))}}}"
    return f"{OPENS}{piece}{CLOSES}" if any(map(str.isalpha, piece)) and piece[0] not in "{[]}" else piece


class Pseudo(NullTranslations):
    """A catalog that has all messages of a real one."""

    def __init__(self, known: Mapping[str, str]) -> None:
        super().__init__()
        self._catalog = {message: in_brackets(message) for message in known if message}

    def gettext(self, message: str) -> str:
        return self._catalog.get(message, message)


def install() -> None:
    """Replace the catalogs of this process."""
    real = messages.catalog

    @cache
    def catalog(domain: Domain, wanted: Language) -> NullTranslations:
        return Pseudo(real(domain, wanted)._catalog)  # type: ignore[attr-defined] # no public way to the messages

    setattr(messages, "catalog", catalog)  # noqa: B010 # mypy accepts no other way


if __name__ == "__main__":
    install()
    from tallyd.cli.main import main

    sys.exit(main())
