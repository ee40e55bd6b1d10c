"""The catalogs in the source, and the messages in the code. As a program, it brings the catalogs up to date.

    python tests/core/language/catalogs.py

A new message gets an empty translation, one that the code no longer has is removed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

SOURCE: Final = Path(__file__).parents[3] / "src" / "tallyd"
LOCALE: Final = SOURCE / "core" / "language" / "locale"
KEYWORDS: Final[dict[str, tuple[str, ...]]] = {
    "tallyd": ("tr", "mark"),
    "stored": ("english", "mark_english"),
}
"""The functions whose first argument is a message of the domain."""
HEADER: Final = r"""# CONTRIBUTING.md says how to change this file.
msgid ""
msgstr ""
"Language: {language}\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"

"""
METHODS: Final = [("**.py", "python"), ("**.html", "jinja2")]


@cache
def messages(domain: str) -> Mapping[str, set[str]]:
    """Return the messages of a domain in the code, each with the files that have it. It takes two seconds."""
    found: dict[str, set[str]] = {}
    keywords = dict.fromkeys(KEYWORDS[domain])
    for file, _, message, _, _ in extract_from_dir(SOURCE, METHODS, keywords=keywords):
        assert isinstance(message, str)
        found.setdefault(message, set()).add(file)
    return found


def po_file(domain: str, locale: str) -> Path:
    """Return where the translations of a domain are."""
    return LOCALE / locale / "LC_MESSAGES" / f"{domain}.po"


def translations(domain: str, locale: str) -> dict[str, str]:
    """Return the translations of a domain; empty for a message without one."""
    with po_file(domain, locale).open("rb") as content:
        return {str(each.id): str(each.string) for each in read_po(content, abort_invalid=True) if each.id}


def text_of(domain: str, locale: str, known: dict[str, str]) -> bytes:
    """Return the content of a catalog that has exactly the messages of the code."""
    catalog = Catalog(locale, fuzzy=False, charset="utf-8")
    for message, files in messages(domain).items():
        catalog.add(message, known.get(message, ""), locations=[(file, 0) for file in sorted(files)])
    content = io.BytesIO()
    write_po(content, catalog, include_lineno=False, sort_by_file=True, omit_header=True, width=110)
    return HEADER.format(language=locale.replace("_", "-")).encode() + content.getvalue()


def main() -> None:
    """Write the catalogs anew."""
    for domain in KEYWORDS:
        for folder in sorted(LOCALE.iterdir()):
            content = text_of(domain, folder.name, translations(domain, folder.name))
            po_file(domain, folder.name).write_bytes(content)


if __name__ == "__main__":
    main()
