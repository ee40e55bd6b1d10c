"""Finding personal texts: in every spelling, as whole words, however the text is cut into pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from unicodedata import normalize
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tallyd.core.privacy.leak_search import LONGEST, Finder, Personal, excused, is_searchable

CHARS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Mn", "Mc", "Me"))
VALUES = st.text(st.one_of(st.sampled_from('aZ9äß "\\/+%&-_.@\n'), CHARS), min_size=4, max_size=20).map(
    str.strip
)
SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "decomposed": lambda value: normalize("NFD", value),
    "json": lambda value: json.dumps(value)[1:-1],
    "json-utf8": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "json-upper": lambda value: json.dumps(value)[1:-1].replace("\\u00fc", "\\u00FC"),
    "php": lambda value: json.dumps(value)[1:-1].replace("/", "\\/"),
    "json-in-json": lambda value: json.dumps(json.dumps(value))[3:-3],
    "percent": lambda value: quote(value, safe=""),
    "percent-lower": lambda value: quote(value, safe="").replace("%C3%BC", "%c3%bc"),
    "form": quote_plus,
}


def finder(*values: str) -> Finder:
    return Finder(Personal(f"data.{number}", value) for number, value in enumerate(values))


def found(text: str, *values: str) -> list[str]:
    return [hit.personal.value for hit in finder(*values).scan([text])]


def pieces(text: str, cuts: list[int]) -> Iterator[str]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return (text[begin:end] for begin, end in pairwise(places))


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
class TestSpellings:
    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("Müller", id="umlaut"),
            pytest.param("Übermuth", id="umlaut-first"),
            pytest.param("Nguyễn", id="beyond-latin-1"),
            pytest.param("Hund 🐕 daheim", id="surrogate-pair"),
            pytest.param("+49 170 5550199", id="phone"),
            pytest.param("canaria@canary.example", id="mail"),
            pytest.param('Max "Maxl" O\'Mara', id="quotes"),
            pytest.param("bis 10/11 Uhr\nzu Hause", id="slash-and-line-break"),
            pytest.param("C:\\temp\\x", id="backslashes"),
        ],
    )
    def test_a_text_is_found_in_every_spelling(self, value: str, spell: Callable[[str], str]) -> None:
        assert found(f'{{"name": "{spell(value)}"}}', value) == [value]

    @given(value=VALUES)
    def test_any_text_is_found(self, spell: Callable[[str], str], value: str) -> None:
        assume(is_searchable(value))
        assert found(f" {spell(value)} ", value) == [value]


class TestWholeWords:
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("Muster", id="alone"),
            pytest.param("name=Muster&x", id="in-a-query"),
            pytest.param("Max%20Muster%20x", id="between-percent-escapes"),
            pytest.param("Max+Muster", id="after-a-plus"),
            pytest.param(r"a\nMuster\nb", id="after-an-escaped-line-break"),
            pytest.param(r"a\u2013Muster", id="after-an-escaped-dash"),
            pytest.param("muster_Muster_", id="between-underscores"),
            pytest.param("„Muster“", id="in-quotes"),
            pytest.param("Muster\udcff", id="beside-a-broken-byte"),
        ],
    )
    def test_a_word_is_found(self, text: str) -> None:
        assert found(text, "Muster") == ["Muster"]

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("Musters", id="longer"),
            pytest.param("Obermuster", id="lower-case-within"),
            pytest.param("OberMuster", id="within"),
            pytest.param("MusterÄ", id="before-an-umlaut"),
            pytest.param("äMuster", id="after-an-umlaut"),
            pytest.param("muster", id="other-case"),
            pytest.param("4Muster", id="after-a-digit"),
        ],
    )
    def test_a_part_of_a_word_is_not(self, text: str) -> None:
        assert found(text, "Muster") == []

    def test_what_begins_without_a_letter_is_found_after_one(self) -> None:
        assert found("Tel+49 170 5550199.", "+49 170 5550199") == ["+49 170 5550199"]

    def test_of_two_that_begin_alike_the_one_that_stands_there_is_found(self) -> None:
        text = "Anna-Lena, Anna-Lenas, Anna"
        assert found(text, "Anna", "Anna-Lena") == ["Anna-Lena", "Anna", "Anna"]


class TestWhatIsSearched:
    @pytest.mark.parametrize(
        ("value", "is_so"),
        [
            pytest.param("Ina", False, id="three-characters"),
            pytest.param("Anna", True, id="four-characters"),
            pytest.param("10115", False, id="postcode"),
            pytest.param("2026", False, id="extension-or-year"),
            pytest.param("5550199", True, id="phone-number"),
            pytest.param("12 a", True, id="not-digits-alone"),
        ],
    )
    def test_what_is_found_by_chance_is_not_searched(self, value: str, is_so: bool) -> None:
        assert is_searchable(value) is is_so
        assert found(value, value) == [value] * is_so

    def test_of_a_long_text_its_beginning_is_enough(self) -> None:
        note = "Liegt mit Grippe im Bett und kommt fruehestens am Montag wieder zum Dienst"
        assert len(note) > LONGEST
        assert note[LONGEST - 1 : LONGEST + 1].isalpha(), "it is cut within a word"
        assert found(note, note) == [note]
        assert found(note[:LONGEST] + "…", note) == [note]
        assert found(note[: LONGEST - 1] + "…", note) == []

    def test_equal_texts_are_one(self) -> None:
        twice = Finder([Personal("data.city", "Musterstadt"), Personal("data.address", "Musterstadt")])
        assert twice.personal == (Personal("data.city", "Musterstadt"),)

    def test_without_texts_nothing_is_found(self) -> None:
        assert found("anything") == []

    def test_a_text_shows_itself_nowhere(self) -> None:
        assert "Muster" not in repr(Personal("data.lastname", "Muster"))

    def test_masked_text_does_not_hold_it(self) -> None:
        assert finder("Muster").masked("out/Muster.json") == "out/***.json"


class TestPieces:
    @given(
        before=st.text(st.sampled_from("ab \nü\udc80"), max_size=40),
        after=st.text(st.sampled_from("ab \nü\udc80"), max_size=40),
        cuts=st.lists(st.integers(0, 10_000), max_size=6),
        filler=st.sampled_from([0, 3000]),
    )
    def test_line_and_byte_are_right_however_the_text_is_cut(
        self, before: str, after: str, cuts: list[int], filler: int
    ) -> None:
        head = "ü\n" * filler + before + " "
        text = head + "Müller " + after
        (hit,) = finder("Müller").scan(pieces(text, cuts))
        assert hit.line == head.count("\n") + 1
        assert hit.byte == len(head.encode("utf-8", "surrogateescape"))

    def test_what_lies_across_pieces_is_found_once(self) -> None:
        text = "x " * 3000 + "Müller " + "y " * 3000
        for cut in range(5990, 6010):
            assert len(list(finder("Müller").scan([text[:cut], text[cut:]]))) == 1

    def test_a_piece_that_ends_within_a_word_does_not_end_the_word(self) -> None:
        assert list(finder("Muster").scan(["Muster", "mann"])) == []
        assert list(finder("Muster").scan(["Ober", "Muster"])) == []

    def test_an_endless_text_is_searched_in_bounded_memory(self) -> None:
        import tracemalloc

        pattern = finder("Müller")
        tracemalloc.start()
        assert not any(pattern.scan("nothing to see " * 4096 for _ in range(200)))
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_bytes < 2_000_000


class TestExcused:
    def test_what_is_written_anyway_proves_nothing(self) -> None:
        town, name = Personal("data.city", "Berlin"), Personal("data.lastname", "Muster")
        assert excused([town, name], ["Europe/Berlin", "Einsatzbereit"]) == {town}

    def test_a_word_within_a_longer_known_text_is_excused_too(self) -> None:
        station, north = Personal("data.street", "Wache Nord"), Personal("data.city", "Nord")
        assert excused([north, station], ["Wache Nord"]) == {station, north}
