"""The catalogs have every message of the code, and no other, in every language."""

from __future__ import annotations

import ast
import re

import pytest

from core.language.catalogs import KEYWORDS, LOCALE, SOURCE, messages, po_file, text_of, translations
from tallyd.core.language.languages import LANGUAGES
from tallyd.core.language.templates import read_template

LOCALES = [each.replace("-", "_") for each in LANGUAGES if each != "en"]
CATALOGS = [(domain, locale) for domain in KEYWORDS for locale in LOCALES]


def test_every_language_has_its_catalogs() -> None:
    assert sorted(each.name for each in LOCALE.iterdir()) == sorted(LOCALES)


@pytest.mark.parametrize(("domain", "locale"), CATALOGS)
def test_every_message_is_translated(domain: str, locale: str) -> None:
    known = translations(domain, locale)
    missing = sorted(message for message in messages(domain) if not known.get(message))
    assert not missing, "translate them; CONTRIBUTING.md says how"


def test_no_message_hides_in_an_f_string() -> None:
    """Babel finds none there (before Python 3.12), so nobody would translate it."""
    functions = {name for names in KEYWORDS.values() for name in names}
    hidden = [
        f"{path.name}:{call.lineno}"
        for path in SOURCE.rglob("*.py")
        for text in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in functions
        if isinstance(call.args[0], ast.Constant)
    ]
    assert not hidden


@pytest.mark.parametrize(("domain", "locale"), CATALOGS)
def test_the_catalog_is_as_the_program_writes_it(domain: str, locale: str) -> None:
    written = text_of(domain, locale, translations(domain, locale))
    assert po_file(domain, locale).read_bytes() == written, "run tests/core/language/catalogs.py"


@pytest.mark.parametrize(("domain", "locale"), CATALOGS)
def test_a_translation_has_the_placeholders_of_its_original(domain: str, locale: str) -> None:
    other = {
        message: translation
        for message, translation in translations(domain, locale).items()
        if translation and read_template(message).names != read_template(translation).names
    }
    assert not other


@pytest.mark.parametrize(("domain", "locale"), CATALOGS)
def test_a_translation_keeps_what_stands_around_the_words(domain: str, locale: str) -> None:
    """Commands are typed as they are. A text that is put beside another keeps the space between them."""
    wrong = {
        message: translation
        for message, translation in translations(domain, locale).items()
        if translation and _fixed(message) != _fixed(translation)
    }
    assert not wrong


def _fixed(text: str) -> tuple[set[str], str]:
    commands = set(re.findall(r"\{tallyd\} \w+|--[a-z-]+|(?:sudo |)systemctl \w+", text))
    return commands, "\n" * text.count("\n")
