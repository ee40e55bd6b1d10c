"""Every stored text is found again, with its values, and no message takes the texts of another one."""

from __future__ import annotations

from itertools import product

import pytest

from core.language.catalogs import messages, translations
from support.translations import Use
from tallyd.core.language.languages import LANGUAGES, Language, reading_in
from tallyd.core.language.messages import english, translated
from tallyd.core.language.templates import Hole, read_template

VALUE = "Wert{}"
OTHERS: tuple[Language, ...] = tuple(each for each in LANGUAGES if each != "en")


def with_values() -> list[str]:
    """Return the stored messages that have placeholders."""
    return [message for message in sorted(messages("stored")) if read_template(message).names]


def values_of(message: str, number: int) -> dict[str, object]:
    """Return values for a message. Those that choose words are numbers, the others words."""
    holes = {
        part.name: part
        for section in read_template(message).sections
        for part in section.parts
        if isinstance(part, Hole)
    }
    return {
        name: number if hole.forms else VALUE.format(place)
        for place, (name, hole) in enumerate(sorted(holes.items()))
    }


def optional_names(message: str) -> set[str]:
    """Return the placeholders without which a section disappears."""
    return {
        part.name
        for section in read_template(message).sections
        for part in section.parts
        if section.is_optional and isinstance(part, Hole)
    }


def filled(message: str) -> list[tuple[str, dict[str, object]]]:
    """Return texts of a message with their values: for one and for more, with all of it and with less."""
    optional = optional_names(message)
    found = {}
    for number, has_optional in product((1, 2), (True, False)):
        values = values_of(message, number)
        if not has_optional:
            values = {name: value for name, value in values.items() if name not in optional}
        found[english(message, **values)] = values
    return list(found.items())


def test_a_stored_text_is_found_with_its_values(use_translations: Use) -> None:
    """Each translation is the original with marks around it: they show which message was found."""
    use_translations(stored={each: f"«{each}»" for each in messages("stored")})
    with reading_in("de"):
        for message in with_values():
            for text, values in filled(message):
                assert translated(text) == f"«{english(message, **values)}»"


@pytest.mark.parametrize("wanted", OTHERS)
def test_every_language_shows_all_values(wanted: Language) -> None:
    """Of all that is translated: `test_catalogs.py` finds what is not."""
    known = translations("stored", wanted.replace("-", "_"))
    with reading_in(wanted):
        for message in filter(known.get, with_values()):
            for text, values in filled(message):
                shown = translated(text)
                lost = [value for value in values.values() if isinstance(value, str) and value not in shown]
                assert not lost, shown


@pytest.mark.parametrize(
    ("inner", "shown"),
    [("no space left on device", "kein Platz mehr"), ("nobody knows this", "nobody knows this")],
)
def test_a_text_inside_a_text_is_shown_too(use_translations: Use, inner: str, shown: str) -> None:
    use_translations(
        tallyd={"no space left on device": "kein Platz mehr"},
        stored={
            "{place}: {why}": "{place}: {why}",
            "cannot write {file}: {why}": "{file} lässt sich nicht schreiben: {why}",
            "{why}; free space on that disk": "{why}; dort Platz schaffen",
        },
    )
    advice = english("{why}; free space on that disk", why=inner)
    with reading_in("de"):
        assert translated(english("{place}: {why}", place="a.json", why=advice)) == (
            f"a.json: {shown}; dort Platz schaffen"
        )
        assert translated(english("cannot write {file}: {why}", file="/srv/a.json", why=advice)) == (
            f"/srv/a.json lässt sich nicht schreiben: {shown}; dort Platz schaffen"
        )


def test_a_name_with_an_address_ends_with_it(use_translations: Use) -> None:
    for message in with_values():
        if read_template(message).names != {"address"}:
            continue
        use_translations(
            tallyd={"connection refused": "abgelehnt"},
            stored={"{place}: {why}": "{place}: {why}", message: "<{address}>"},
        )
        place = english(message, address="a.example:8080")
        with reading_in("de"):
            assert translated(english("{place}: {why}", place=place, why="connection refused")) == (
                "<a.example:8080>: abgelehnt"
            )


def test_a_colon_after_a_name_is_not_part_of_it() -> None:
    why = english("timed out after {limit}", limit="10 s")
    with reading_in("de"):
        shown = translated(english("{place}: {why}", place="a.example", why=why))
    assert shown.replace("\N{NO-BREAK SPACE}", " ") == "a.example: keine Antwort innerhalb von 10 Sek."


@pytest.mark.parametrize("wanted", OTHERS)
def test_a_place_in_front_of_a_reason_is_a_message_too(wanted: Language) -> None:
    place, why = "PostgreSQL at db.example", "its disk is full"
    with reading_in(wanted):
        assert translated(place) != place
        assert translated(english("{place}: {why}", place=place, why=why)).startswith(translated(place))
