"""Texts with placeholders and sections that vanish."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.alerts.values import Several, Value, Wording
from tallyd.core.language.templates import TemplateError, read_template

PLAIN = st.text(st.characters(exclude_characters="[]{}", exclude_categories=["Cs"]))  # no half characters
NOT_CHINESE = st.text(st.characters(exclude_characters="[]{}", max_codepoint=0x2E7F))
FIELDS: Mapping[str, Value] = {
    "slot": "Fri 08:00",
    "reason": "timed out",
    "empty": "",
    "none": 0,
    "one": 1,
    "many": 1234,
    "several": "300+",
    "names": Several(("a", "b"), more=1),
}
NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
SHOWN = Wording(now=NOW, zone=UTC).shown


@pytest.mark.parametrize(
    ("template", "text"),
    [
        pytest.param("no reading", "no reading", id="plain"),
        pytest.param("", "", id="empty"),
        pytest.param("{reason}", "timed out", id="placeholder"),
        pytest.param("a{reason}{slot}b", "atimed outFri 08:00b", id="side by side"),
        pytest.param("{ reason }", "timed out", id="spaces inside"),
        pytest.param("<{absent}{empty}>", "<>", id="without a value"),
        pytest.param("no reading[ for {slot}].", "no reading for Fri 08:00.", id="section that stays"),
        pytest.param("no reading[ for {absent}].", "no reading.", id="section without a value"),
        pytest.param("no reading[ for {empty}].", "no reading.", id="section with an empty value"),
        pytest.param("[{slot} {absent}]", "", id="section that lacks one of two"),
        pytest.param("[{slot} {reason}]", "Fri 08:00 timed out", id="section that has both"),
        pytest.param("[a][{absent}][b]", "ab", id="sections without placeholders stay"),
        pytest.param("[]", "", id="empty section"),
        pytest.param("[[{slot}]]", "[Fri 08:00]", id="doubled brackets"),
        pytest.param("{{slot}}", "{slot}", id="doubled braces"),
        pytest.param("{{{slot}}}", "{Fri 08:00}", id="placeholder in doubled braces"),
        pytest.param("[ for {{{slot}}}]", " for {Fri 08:00}", id="doubled braces in a section"),
        pytest.param("[ see [[1]] {slot}]", " see [1] Fri 08:00", id="doubled brackets in a section"),
        pytest.param("{many:# file|# files}", "1,234 files", id="many"),
        pytest.param("{one:# file|# files}", "1 file", id="one"),
        pytest.param("{none:# file|# files}", "0 files", id="zero is a number"),
        pytest.param("[ of {none}]", " of 0", id="zero is not empty"),
        pytest.param("{one:the only file|all # files}", "the only file", id="without its number"),
        pytest.param(
            "{one: and so it is}{many: more than #}", " and so it is more than 1,234", id="one form"
        ),
        pytest.param("{absent:# file|# files}", "", id="forms of nothing"),
        pytest.param("[ ({absent:# file|# files})]", "", id="section with forms of nothing"),
        pytest.param("{names:# name|# names}: {names}", "3 names: a, b and 1 more", id="forms of a list"),
        pytest.param("{several: it's # | they're # }", " they're 300+ ", id="text is many"),
        pytest.param("a\n{slot}\n", "a\nFri 08:00\n", id="lines"),
    ],
)
def test_placeholders_are_filled_and_sections_vanish_where_something_in_them_is_empty(
    template: str, text: str
) -> None:
    assert read_template(template).filled(FIELDS, SHOWN) == text


@pytest.mark.parametrize(
    ("template", "half"),
    [
        ("a [b", "["),
        ("a ]b", "]"),
        ("a {b", "{"),
        ("a }b", "}"),
        ("[a [b] c]", "["),
        ("[a]]", "["),
        ("[a] b]", "]"),
        ("{a{b}}", "{"),
        ("{a", "{"),
        ("a}", "}"),
        ("{a[b]}", "{"),
        ("[{a]}", "{"),
    ],
)
def test_half_a_bracket_is_an_error_that_names_it(template: str, half: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(f'"{half}"')):
        read_template(template)


def test_a_template_knows_the_names_of_its_placeholders() -> None:
    assert read_template("{a}[ {b} {a}][[{c}]] {{d}} {e:# f|# fs}").names == {"a", "b", "c", "e"}


def test_more_than_two_forms_are_an_error_that_shows_how_it_is_written() -> None:
    with pytest.raises(TemplateError, match=re.escape('"{a:x|y|z}"; write {a:# file|# files}')):
        read_template("{a:x|y|z}")


@given(PLAIN)
def test_text_without_special_characters_is_itself(text: str) -> None:
    template = read_template(text)
    assert template.filled({}) == text
    assert template.names == frozenset()


@given(st.text(st.sampled_from("[]{}ab ")) | st.text())
def test_doubling_every_special_character_gives_any_text_back(text: str) -> None:
    assert read_template(re.sub(r"[\[\]{}]", r"\g<0>\g<0>", text)).filled(FIELDS) == text


@given(st.text(st.sampled_from("[]{}ab ")))
def test_any_text_is_a_template_or_an_error_of_its_own_kind(text: str) -> None:
    with suppress(TemplateError):
        read_template(text).filled(FIELDS)


@given(value=st.text(min_size=1), before=NOT_CHINESE, after=NOT_CHINESE)
def test_what_is_filled_in_is_not_read_as_a_template(value: str, before: str, after: str) -> None:
    assert read_template(f"{before}[{{x}}]{after}").filled({"x": value}) == before + value + after


@pytest.mark.parametrize(
    ("template", "chinese", "latin"),
    [
        ("自 {x} 起", "自週五起", "自 A 起"),
        ("沒有[ {x} 的]檔案", "沒有週五的檔案", "沒有 A 的檔案"),
        ("中[自 {x} ]沒有[ {absent} ]檔案", "中自週五沒有檔案", "中自 A 沒有檔案"),
        ("請 [{x}] 再試", "請週五再試", "請 A 再試"),
        ("{x}。{x} {x}", "週五。週五 週五", "A。A A"),
        ("since {x} there", "since 週五 there", "since A there"),
        ("時 {{x}} 起", "時 {x} 起", "時 {x} 起"),
    ],
)
def test_no_space_is_left_between_chinese_words(template: str, chinese: str, latin: str) -> None:
    assert read_template(template).filled({"x": "週五"}) == chinese
    assert read_template(template).filled({"x": "A"}) == latin


def test_no_space_is_left_beside_a_chinese_word_in_a_tag() -> None:
    assert read_template("自 {x} 起").filled({"x": "<time>週五</time>"}) == "自<time>週五</time>起"
