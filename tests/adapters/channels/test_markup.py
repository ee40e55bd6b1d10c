"""Texts and URLs as Apprise gets them."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.chattexts import NASTY, shown_by_rocketchat
from tallyd.adapters.channels.markup import as_html, for_rocketchat, for_telegram, pieces
from tallyd.adapters.channels.rocketchat_url import UnusableUrl, apprise_url

TEXTS = st.text(st.sampled_from("ab3 \n*_~`#.>-@:()[]<>|\\&ü中😀"), max_size=60)
# As in the server of Rocket.Chat, which looks for mentions in the raw message.
MENTION = re.compile(r"(?m)(^|\s|>)[@#]([0-9a-zA-Z-_.]+)")


@given(TEXTS)
def test_a_reader_of_rocketchat_sees_the_text(text: str) -> None:
    assert shown_by_rocketchat(for_rocketchat(text)) == text


@given(TEXTS)
def test_nothing_is_left_in_it_that_rocketchat_reads(text: str) -> None:
    written = for_rocketchat(text)
    assert not MENTION.search(written)
    for line in written.split("\n"):
        bare = re.sub(r"\\[*_~`#.]", "", line)
        assert all(bare.count(mark) < 2 for mark in "*~`")
        assert not re.match(r"[ \t]*(>|#{1,6}[ \t]|[-*+][ \t]|\d+\.[ \t])", line)
        assert not re.search(r"\]\(|<[^\s\u200b]|\|\|", line)


@pytest.mark.parametrize(
    "text",
    ["5 * 3", "a_b_c", "visitors_today: 08:00:00, 17 (of 80)", "https://a.example/b?c=d", "Zürich, 中文 😀"],
)
def test_a_text_without_markup_does_not_change(text: str) -> None:
    assert for_rocketchat(text) == text


def test_what_would_be_markup_is_escaped_or_broken_up() -> None:
    assert for_rocketchat("*a* @all\n> b") == "\\*a\\* @\u200ball\n\u200b> b"


@given(TEXTS)
def test_a_reader_of_html_sees_the_text(text: str) -> None:
    assert html.unescape(for_telegram(text)) == text
    assert not re.search("[<>]", for_telegram(text))
    assert html.unescape(as_html(text).replace("<br/>", "\n")).replace("\xa0", " ") == text


def test_lines_in_html_may_wrap_at_single_spaces() -> None:
    assert as_html("a b  c\n d <b>") == "a b &nbsp;c<br/>&nbsp;d &lt;b&gt;"


@given(TEXTS, st.integers(1, 20))
def test_pieces_are_the_text(text: str, most: int) -> None:
    cut = list(pieces(text, most))
    assert all(len(piece) <= most for piece in cut)
    assert "".join(cut).replace("\n", "") == text.replace("\n", "")


def test_a_text_is_cut_between_lines() -> None:
    assert list(pieces("one\ntwo\nthree", 8)) == ["one\ntwo", "three"]
    assert list(pieces(NASTY, 4000)) == [NASTY]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://chat.example/hooks/a1/B2", "rockets://chat.example/?mode=webhook&webhook=a1%2FB2"),
        ("http://chat.example:3000/hooks/a/b/", "rocket://chat.example:3000/?mode=webhook&webhook=a%2Fb"),
        (" https://[::1]:8/hooks/a/b\n", "rockets://[::1]:8/?mode=webhook&webhook=a%2Fb"),
        ("tgram://1:a/2", "tgram://1:a/2"),
        ("https://hooks.slack.example/services/A/B/C", "https://hooks.slack.example/services/A/B/C"),
        ("https://mm.example/hooks/abc", "https://mm.example/hooks/abc"),
    ],
)
def test_only_a_webhook_of_rocketchat_is_turned_into_another_url(url: str, expected: str) -> None:
    assert apprise_url(url) == expected


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://chat.example/team/hooks/s3cret/s3cret", "below a path"),
        ("https://chat.example/hooks/s3cret/s3%2Fcret", "/hooks/ID/TOKEN"),
        ("https://chat.example/hooks/s3cret/s3cret?x=1", "/hooks/ID/TOKEN"),
        ("https://s3cret:s3cret@chat.example/hooks/a/b", "without a user name"),
        ("https://chat.example:s3cret/hooks/a/b", "port can't be read"),
    ],
    ids=["path before", "odd token", "query", "user", "port"],
)
def test_an_unusable_webhook_is_rejected_without_showing_it(url: str, text: str) -> None:
    with pytest.raises(UnusableUrl, match=re.escape(text)) as caught:
        apprise_url(url)
    assert "s3cret" not in str(caught.value)
