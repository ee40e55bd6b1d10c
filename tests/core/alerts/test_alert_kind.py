"""Every kind of problem: its texts can be read and filled, and its keys are what they are said to be."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from datetime import UTC, datetime

import pytest

from support.wording import over_of, text_of
from tallyd.config.kinds import KINDS as POLLERS
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.daemon_alerts import OWN_KINDS
from tallyd.core.alerts.run_alerts import RUN_KINDS
from tallyd.core.alerts.wording import ALWAYS
from tallyd.core.language.templates import read_template
from tallyd.core.naming import key_segments

AT = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
KINDS = (*OWN_KINDS, *RUN_KINDS, *(kind for poller in POLLERS for kind in poller.alert_kinds()))
each_kind = pytest.mark.parametrize("kind", KINDS, ids=[kind.key for kind in KINDS])


@pytest.mark.parametrize(
    ("key", "has_subject"),
    [
        pytest.param("<poller>/<source>/rejected", True, id="source"),
        pytest.param("<poller>/<job>/failed", False, id="job"),
        pytest.param("<poller>/database/unreachable", False, id="database"),
        pytest.param("tallyd/disk", False, id="tallyd itself"),
    ],
)
def test_a_key_names_a_subject_unless_its_middle_says_people_nothing(key: str, has_subject: bool) -> None:
    kind = AlertKind(key=key, severity="error", text="", over="", ends="", short="", many="")
    assert kind.has_subject is has_subject


@each_kind
def test_its_texts_are_templates_whose_placeholders_a_config_may_use(kind: AlertKind) -> None:
    for text in (kind.text, kind.over):
        assert read_template(text).names <= kind.fields
    assert kind.subject in ("", *kind.fields)
    assert all(re.fullmatch(r"[a-z_]+", name) for name in kind.fields)


@each_kind
def test_it_says_in_words_what_it_is_what_ends_it_and_what_many_share(kind: AlertKind) -> None:
    assert kind.text
    assert kind.over
    assert not kind.over.endswith("."), '"since 12:00" follows'
    assert kind.ends
    assert not kind.ends.endswith(".")
    assert 3 < len(kind.short) < 25, "a line on a phone has room for it, beside the name of the subject"
    assert kind.many
    assert kind.severity in ("warning", "error")


@each_kind
def test_its_key_is_lower_case_with_its_own_name_at_the_end(kind: AlertKind) -> None:
    assert re.fullmatch(r"(tallyd|<poller>)(/<[a-z]+>|/[a-z]+)?/[a-z-]+", kind.key)
    assert kind.key.endswith("/" + kind.what)


@each_kind
def test_a_problem_of_it_has_its_texts_filled_and_keeps_what_they_were_filled_with(kind: AlertKind) -> None:
    fields = {name: f"<{name} [x] {{y}}>" for name in kind.fields - ALWAYS}
    segments = ["of / *"] * kind.key.count("/")
    problem = kind.problem(*segments, since=AT, **fields)
    assert key_segments(problem.key) == (*segments, kind.what)
    assert (problem.severity, problem.at_once, problem.since) == (kind.severity, kind.at_once, AT)
    assert problem.fields == fields
    for text, template in ((text_of(problem), kind.text), (over_of(problem), kind.over)):
        plain = re.sub(r"\{\w+:[^{}]*\}", "", template)
        assert all(fields[name] in text for name in read_template(plain).names - ALWAYS)


@each_kind
def test_without_the_values_that_are_in_brackets_no_bracket_is_left(kind: AlertKind) -> None:
    text = text_of(kind.problem(since=AT))
    assert not re.search(r"[\[\]{}]", text)


@pytest.mark.parametrize(
    "kinds",
    [OWN_KINDS, *((*RUN_KINDS, *poller.alert_kinds()) for poller in POLLERS)],
    ids=["of tallyd", *(f"of {poller.__name__}" for poller in POLLERS)],
)
def test_a_text_of_the_config_is_for_one_kind_alone(kinds: tuple[AlertKind, ...]) -> None:
    assert max(Counter(kind.what for kind in kinds).values()) == 1


def test_a_key_can_be_pasted_into_a_shell() -> None:
    kind = AlertKind(
        key="<poller>/<target>/stale",
        severity="error",
        text="mute it: {tallyd} mute {key}",
        over="{target} is fresh",
        ends="a fresh one",
        short="stale",
        many="targets stale",
    )
    problem = kind.problem("apps", "PROD's $HOME", since=AT, target="PROD")
    assert shlex.split(text_of(problem).removeprefix("mute it: ")) == [
        "tallyd",
        "mute",
        "apps/PROD's $HOME/stale",
    ]
    assert over_of(problem) == "PROD is fresh"
    assert kind.fields == {"key", "tallyd", "target"}
