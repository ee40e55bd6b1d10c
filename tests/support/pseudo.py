"""tallyd with a language in which every translated word stands in brackets, to find what is not translated.

`python -m support.pseudo --config FILE run` is `tallyd`, and German is that language.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import cache

from tallyd.core.language import catalogs
from tallyd.core.language.catalogs import Domain
from tallyd.core.language.languages import Language

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


def install() -> None:
    """Replace the catalogs of this process by those in which all messages stand in brackets."""
    real = catalogs.catalog

    @cache
    def catalog(domain: Domain, wanted: Language) -> Mapping[str, str]:
        return {message: in_brackets(message) for message in real(domain, wanted)}

    setattr(catalogs, "catalog", catalog)  # noqa: B010 # mypy accepts no other way


if __name__ == "__main__":
    install()
    from tallyd.cli.main import main

    sys.exit(main())
