"""What one channel is sent: how it is worded, what shares a line, and that it never grows too long."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.message import (
    MOST_ALIKE,
    MOST_CHARS,
    MOST_LINE_CHARS,
    MOST_SUBJECT_CHARS,
    Message,
    Tone,
    message_of,
    trial,
)
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.notice_text import Surroundings
from tallyd.core.alerts.notices import AlertPolicy, Escalation, MuteNotice, News, Notice, OwnText
from tallyd.core.alerts.rules import Alert, acknowledge
from tallyd.core.alerts.values import Age, Fields
from tallyd.core.alerts.wording import ENDING, OUTSIDE_HOURS, REMINDING, UNWATCHED
from tallyd.core.naming import problem_key
from tallyd.core.reading import Severity
from tallyd.core.texts import UNPRINTABLE

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)  # a Friday, 12:00 in Berlin
SINCE = NOW - timedelta(hours=4)
LAST_LINE = len("\n... and 10000 more. See all: tallyd alerts")


def around(
    *,
    name: str = "box",
    missing: Sequence[datetime] = (),
    watched: int | None = None,
    has_page: bool = False,
    escalate: tuple[Escalation, ...] = (),
    texts: Mapping[str, OwnText] | None = None,
) -> Surroundings:
    return Surroundings(
        name=name,
        now=NOW,
        alert_policy_of=lambda _key: AlertPolicy(zone=BERLIN, texts=texts or {}, escalate=escalate),
        kind_of=lambda key: UNREACHABLE if key.endswith("/unreachable") else None,
        watched=lambda _poller, _what: watched,
        missing=lambda _alert: missing,
        link=lambda keys: " ".join(sorted(keys)) if has_page else "",
    )


UNREACHABLE = AlertKind(
    key="<poller>/<target>/unreachable",
    severity="error",
    text="{target} is unreachable",
    over="{target} answers",
    ends="an answer",
    short="unreachable",
    many="targets unreachable",
    subject="target",
)


def notice(
    *segments: str,
    news: News = "begins",
    text: str | None = None,
    over: str = "divera: working again",
    fields: Fields | None = None,
    severity: Severity = "error",
    since: datetime = SINCE,
    over_at: datetime | None = None,
    is_late: bool = False,
) -> Notice:
    key = problem_key(*(segments or ("divera", "count", "failed")))
    is_over = news in ("over", "unwatched")
    alert = Alert(
        key=key,
        severity=severity,
        text=REMINDING + ("{key} is bad" if text is None else text),
        over=UNWATCHED if news == "unwatched" else over + ENDING,
        fields=fields or {},
        since=since,
        raised_at=since,
        over_at=(over_at or NOW) if is_over else None,
        is_unwatched=news == "unwatched",
        version=2 if is_over else 1,
    )
    return Notice(alert, news, is_late=is_late)


def outside_its_hours(given: Notice) -> Notice:
    return replace(given, alert=replace(given.alert, over=OUTSIDE_HOURS))


def message(*notices: Notice, surroundings: Surroundings | None = None) -> Message:
    found = message_of(notices, (), surroundings or around())
    assert found is not None
    return found


def test_nothing_to_tell_is_no_message() -> None:
    assert message_of((), (), around()) is None


def test_one_thing_is_one_line_with_the_name_in_front() -> None:
    found = message(notice(text="divera: no reading: timed out."))
    assert found == Message(
        subject="[box] divera: no reading: timed out.",
        text="[box] divera: no reading: timed out.",
        tone="error",
    )


@pytest.mark.parametrize(
    ("given", "missing", "text", "tone"),
    [
        pytest.param(notice(text="bad"), 0, "bad", "error", id="begins"),
        pytest.param(notice(text="bad", severity="warning"), 0, "bad", "warning", id="warns"),
        pytest.param(notice(text="bad", news="reminder"), 0, "still, after 4 h: bad", "error", id="reminder"),
        pytest.param(
            notice(news="over"), 0, "divera: working again since 12:00, after 4 h.", "over", id="over"
        ),
        pytest.param(
            notice(news="over"),
            1,
            "divera: working again since 12:00, after 4 h; 1 reading missing (08:00).",
            "over",
            id="one reading missing",
        ),
        pytest.param(
            notice(news="over"),
            2,
            "divera: working again since 12:00, after 4 h; 2 readings missing (08:00 and 09:00).",
            "over",
            id="two readings missing",
        ),
        pytest.param(
            notice(news="over"),
            9,
            "divera: working again since 12:00, after 4 h; 9 readings missing "
            "(08:00, 09:00, 10:00, 11:00, 12:00 and 4 more).",
            "over",
            id="many readings missing",
        ),
        pytest.param(
            notice(news="over", over_at=NOW - timedelta(days=1), since=NOW - timedelta(days=1, minutes=5)),
            0,
            "divera: working again since Thu 12:00, after 5 min.",
            "over",
            id="notified a day after its end",
        ),
        pytest.param(
            notice(news="over", since=NOW + timedelta(hours=1)),
            0,
            "divera: working again since 12:00, after 0 s.",
            "over",
            id="the clock was set back",
        ),
        pytest.param(
            notice(news="over", text="divera: no reading: timed out.", is_late=True),
            1,
            "divera: working again since 12:00, after 4 h; 1 reading missing (08:00). "
            "It was: divera: no reading: timed out.",
            "over",
            id="over before it could be notified",
        ),
        pytest.param(
            notice(news="unwatched", text="bad"),
            0,
            "no longer watched: divera/count/failed, open since 08:00; it was removed",
            "info",
            id="unwatched",
        ),
        pytest.param(
            outside_its_hours(notice(news="unwatched", text="divera: 4 people on 7.[ Mute: {mute}]")),
            0,
            "outside its hours since 12:00, after 4 h: divera: 4 people on 7.",
            "info",
            id="outside-its-hours",
        ),
    ],
)
def test_each_news_has_its_words(given: Notice, missing: int, text: str, tone: Tone) -> None:
    slots = [SINCE + timedelta(hours=number) for number in range(missing)]
    found = message(given, surroundings=around(missing=slots))
    assert (found.text, found.tone) == (f"[box] {text}", tone)


def test_most_serious_first_and_the_oldest_of_equals() -> None:
    found = message(
        notice("a", "5", "x", news="unwatched", text="left"),
        notice("a", "4", "x", news="over", over="good"),
        notice("a", "3", "x", severity="warning", news="reminder", text="few"),
        notice("a", "2", "x", severity="warning", text="fewer"),
        notice("a", "1", "x", news="reminder", text="worse"),
        notice("a", "0", "x", text="worst", since=NOW),
        notice("b", "0", "x", text="worst and old", since=SINCE),
    )
    assert found.subject == "[box] 5 problems, 1 resolved, 1 notice"
    assert found.tone == "error"
    assert found.text.split("\n") == [
        "[box] 5 problems, 1 resolved, 1 notice:",
        "- worst and old",
        "- worst",
        "- still, after 4 h: worse",
        "- fewer",
        "- still, after 4 h: few",
        "- good since 12:00, after 4 h.",
        "- no longer watched: a/5/x, open since 08:00; it was removed",
    ]


@pytest.mark.parametrize(
    ("news", "severity", "tone"),
    [
        ("begins", "error", "error"),
        ("reminder", "warning", "warning"),
        ("over", "error", "over"),
        ("unwatched", "error", "info"),
    ],
)
def test_a_message_of_one_kind_has_its_tone(news: News, severity: Severity, tone: Tone) -> None:
    found = message(*(notice("a", name, "x", news=news, severity=severity) for name in "AB"))
    assert found.tone == tone


# -- what shares a line --------------------------------------------------------------------------------------


def unreachable(count: int, news: News = "begins", poller: str = "apps") -> list[Notice]:
    return [notice(poller, chr(ord("A") + number), "unreachable", news=news) for number in range(count)]


@pytest.mark.parametrize(
    ("count", "watched", "news", "text"),
    [
        (12, 12, "begins", "apps: 12 of 12 targets unreachable: A, B, C, D, E and 7 more"),
        (12, None, "begins", "apps: 12 targets unreachable: A, B, C, D, E and 7 more"),
        (12, 3, "begins", "apps: 12 targets unreachable: A, B, C, D, E and 7 more"),
        (4, 9, "begins", "apps: 4 of 9 targets unreachable: A, B, C and D"),
        (4, 9, "reminder", "still: apps: 4 of 9 targets unreachable: A, B, C and D"),
        (4, 9, "over", "resolved: apps: 4 of 9 targets unreachable: A, B, C and D"),
        (4, 9, "unwatched", "no longer watched: apps: 4 of 9 targets unreachable: A, B, C and D"),
    ],
    ids=["all", "of unknown", "of too few", "four", "reminder", "over", "unwatched"],
)
def test_more_than_three_of_a_kind_share_a_line(
    count: int, watched: int | None, news: News, text: str
) -> None:
    found = message(*unreachable(count, news), surroundings=around(watched=watched))
    assert found.text == f"[box] {text}"


TO_CHIEF = around(escalate=(Escalation(60, ("chief",)),))
WITH_MUTE = "down.[ Mute: {mute}]"


def test_each_command_has_a_line_of_its_own_and_a_key_that_can_be_copied() -> None:
    bad = [notice("apps", name, "unreachable", text=WITH_MUTE) for name in ("@all", "B")]
    assert message(*bad, surroundings=TO_CHIEF).text.split("\n")[1:] == [
        "- down. Mute: tallyd mute apps/%40all/unreachable --for 2h",
        "  Acknowledge: tallyd ack apps/%40all/unreachable",
        "- down. Mute: tallyd mute apps/B/unreachable --for 2h",
        "  Acknowledge: tallyd ack apps/B/unreachable",
    ]


def test_nobody_is_asked_to_acknowledge_what_somebody_has_acknowledged() -> None:
    late = notice("apps", "B", "unreachable", text=WITH_MUTE)
    late = replace(late, alert=acknowledge(late.alert, by="anna", why="", now=SINCE))
    text = message(late, surroundings=TO_CHIEF).text
    assert "Mute: tallyd mute apps/B/unreachable" in text
    assert "Acknowledge:" not in text


def test_a_shared_line_names_the_commands_for_all_of_them() -> None:
    bad = [notice("apps", name, "unreachable", text=WITH_MUTE) for name in "ABCD"]
    found = message(*bad, surroundings=TO_CHIEF)
    assert found.text.split("\n") == [
        "[box] apps: 4 targets unreachable: A, B, C and D",
        "Mute: tallyd mute 'apps/*/unreachable' --for 2h",
        "Acknowledge: tallyd ack 'apps/*/unreachable'",
    ]
    assert found.subject == "[box] apps: 4 targets unreachable: A, B, C and D"


def test_those_who_are_acknowledged_together_share_a_line_with_who_and_why() -> None:
    def acknowledged(given: Notice, why: str) -> Notice:
        return replace(given, alert=acknowledge(given.alert, by="anna", why=why, now=SINCE))

    bad = unreachable(9, "acknowledged")
    texts = message(
        *(acknowledged(each, "disk") for each in bad[:4]), *(acknowledged(each, "") for each in bad[4:])
    ).text.split("\n")
    assert texts[1:] == [
        "- acknowledged by anna 08:00 (disk): apps: 4 targets unreachable: A, B, C and D",
        "- acknowledged by anna 08:00: apps: 5 targets unreachable: E, F, G, H and I",
    ]


OWN = {"unreachable": OwnText("{target} antwortet nicht", "{target} antwortet seit {ended}")}


def target_of(number: int, news: News) -> Notice:
    own, fields = OWN["unreachable"], {"target": f"Ziel {number}"}
    given = notice("apps", f"{number}", "unreachable", news=news, text=own.text, fields=fields)
    return replace(given, alert=replace(given.alert, over=own.over or ""))


@pytest.mark.parametrize(
    ("news", "lines"),
    [
        ("begins", [f"- Ziel {number} antwortet nicht" for number in range(5)]),
        ("over", [f"- Ziel {number} antwortet seit 12:00" for number in range(5)]),
    ],
)
def test_what_the_config_has_words_for_is_notified_in_them_however_many_there_are(
    news: News, lines: list[str]
) -> None:
    found = message(*(target_of(number, news) for number in range(5)), surroundings=around(texts=OWN))
    assert found.text.split("\n")[1:] == lines


def test_where_the_config_has_no_words_for_the_end_ends_share_a_line() -> None:
    texts = {"unreachable": OwnText(text="weg")}
    found = message(*unreachable(4, "over"), surroundings=around(texts=texts))
    assert found.text == "[box] resolved: apps: 4 targets unreachable: A, B, C and D"


def test_a_shared_line_has_labels_where_there_are_any() -> None:
    labels = ["東門", "Gate 12", "", "24"]
    found = message(
        *(
            notice("park", f"{number}", "unreachable", fields={"target": label} if label else {})
            for number, label in enumerate(labels)
        )
    )
    assert found.text == "[box] park: 4 targets unreachable: 東門, Gate 12, 2 and 24"


AGING: dict[str, Any] = {"text": "PROD: data {age} old", "fields": {"age": Age(NOW - timedelta(minutes=90))}}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (notice(**AGING), "PROD: data 1 h 30 min old"),
        (notice(**AGING, news="reminder"), "still, after 4 h: PROD: data 1 h 30 min old"),
        (
            notice(**AGING, news="over", is_late=True, over_at=NOW - timedelta(hours=1)),
            "divera: working again since 11:00, after 3 h. It was: PROD: data 30 min old",
        ),
    ],
    ids=["begins", "reminder", "over before it could be notified"],
)
def test_an_age_is_that_at_the_time_of_telling_or_of_the_end(given: Notice, text: str) -> None:
    assert message(given).text == f"[box] {text}"


def test_three_of_a_kind_have_a_line_each() -> None:
    found = message(*unreachable(3))
    assert found.text.split("\n")[1:] == [f"- apps/{name}/unreachable is bad" for name in "ABC"]


def test_only_the_same_news_of_the_same_poller_and_what_share_a_line() -> None:
    found = message(
        *unreachable(3),
        *unreachable(3, poller="sites"),
        *unreachable(3, "over"),
        *(notice("apps", name, "stale") for name in "ABC"),
    )
    assert len(found.text.split("\n")) == 1 + 12
    assert found.subject == "[box] 9 problems, 3 resolved"


def test_those_that_share_a_line_count_each() -> None:
    found = message(*unreachable(12), notice(news="over"))
    assert found.subject == "[box] 12 problems, 1 resolved"


def test_channels_that_are_down_together_share_a_line_that_names_them() -> None:
    found = message(*(notice("tallyd", name, "undelivered") for name in "abcd"))
    assert found.text == "[box] 4 problems: a, b, c and d"


def test_one_that_is_an_error_makes_the_shared_line_one() -> None:
    found = message(
        *(notice("a", name, "x", severity="warning") for name in "ABC"), notice("a", "D", "x"), notice()
    )
    assert found.tone == "error"
    assert found.text.split("\n")[2] == "- divera/count/failed is bad"


def test_failed_and_missed_that_end_with_the_same_reading_give_one_line() -> None:
    found = message(
        notice("divera", "count", "failed", news="over", since=NOW - timedelta(hours=1)),
        notice("divera", "count", "missed", news="over", severity="warning"),
    )
    assert found.text == "[box] divera: working again since 12:00, after 4 h."


def test_failed_and_missed_that_ended_with_different_readings_are_not_one() -> None:
    found = message(
        notice("divera", "count", "failed", news="over", over_at=NOW - timedelta(hours=3)),
        notice("divera", "count", "missed", news="over", since=NOW - timedelta(hours=2)),
    )
    assert "working again since 12:00" in found.text


def test_jobs_that_work_again_have_a_line_each() -> None:
    found = message(
        notice("divera", "count", "failed", news="over", over="divera: counts again"),
        notice("divera", "sum", "failed", news="over", over="divera: sums again"),
        notice("divera", "sum", "overdue", news="over", over="divera: goes on"),
    )
    assert len(found.text.split("\n")) == 1 + 3


def test_runs_of_many_jobs_that_work_again_share_a_line() -> None:
    found = message(*(notice("apps", f"job{number}", "failed", news="over") for number in range(12)))
    assert len(found.text.split("\n")) == 1


# -- mutes ---------------------------------------------------------------------------------------------------

MUTE = Mute(pattern="divera/*", since=NOW, until=NOW + timedelta(hours=2), why="moved", by="anna")


MUTES = {
    "muted": (MuteNotice(MUTE, "muted"), "muted until 14:00 by anna: divera/* (moved)"),
    "by nobody": (MuteNotice(replace(MUTE, by="", why=""), "muted"), "muted until 14:00: divera/*"),
    "unmuted": (MuteNotice(replace(MUTE, ended_by="bert"), "unmuted"), "no longer muted by bert: divera/*"),
    "by nobody again": (MuteNotice(replace(MUTE, ended_by=""), "unmuted"), "no longer muted: divera/*"),
}


@pytest.mark.parametrize(("given", "text"), MUTES.values(), ids=MUTES)
def test_a_mute_is_shown_with_who_until_when_and_why(given: MuteNotice, text: str) -> None:
    found = message_of((), (given,), around())
    assert found is not None
    assert (found.text, found.tone) == (f"[box] {text}", "info")


def test_a_mute_stands_behind_what_is_wrong() -> None:
    found = message_of((notice(news="over"),), (MuteNotice(MUTE, "muted"),), around())
    assert found is not None
    assert found.tone == "over"
    assert found.text.split("\n")[-1] == "- muted until 14:00 by anna: divera/* (moved)"


# -- how long it may be --------------------------------------------------------------------------------------

MANY: dict[str, Callable[[int], Notice]] = {
    "of one kind": lambda number: notice("apps", f"{number}", "unreachable"),
    "of a poller each": lambda number: notice(f"p{number}", "count", "failed"),
    "of a poller each, over": lambda number: notice(f"p{number}", "count", "failed", news="over"),
    "with long texts": lambda number: notice(f"p{number}", "count", "failed", text="long " * 2000),
    "empty": lambda number: notice(f"p{number}", "count", "failed", text=""),
    "half of one kind": lambda number: notice("zoo" if number % 2 else f"p{number}", f"{number}", "x"),
}


@pytest.mark.parametrize(
    ("many", "count"),
    [
        *(
            pytest.param(MANY[name], count, id=f"{name}-{count}")
            for name in MANY
            for count in (1, 2, 25, 300)
        ),
        # Ten thousand take a second: once as lines of their own, once as one line and many.
        *(
            pytest.param(MANY[name], 10_000, id=f"{name}-10000")
            for name in ("with long texts", "half of one kind")
        ),
    ],
)
def test_a_message_is_never_long_and_leaves_out_exactly_as_many_as_it_says(
    many: Callable[[int], Notice], count: int
) -> None:
    notices = [many(number) for number in range(count)]
    before = time.process_time()
    found = message(*notices)
    assert time.process_time() - before < 5, "a second on a quick machine"
    assert len(found.text) <= MOST_CHARS + LAST_LINE
    lines = found.text.split("\n")
    if len(lines) == 1:
        return
    assert lines[0] == f"[box] {count} problems:" or lines[0] == f"[box] {count} resolved:"
    left = re.fullmatch(r"\.\.\. and (\d+) more. See all: tallyd alerts", lines[-1])
    shown = lines[1:-1] if left else lines[1:]
    counts = [re.match(r"- (?:apps|zoo): (\d+) ", line) for line in shown]
    counted = sum(int(found[1]) if found else 1 for found in counts)
    assert counted + (int(left[1]) if left else 0) == count


def test_most_serious_is_never_what_is_left_out() -> None:
    found = message(
        *(notice(f"p{number}", "count", "missed", severity="warning") for number in range(500)),
        notice("last", "count", "failed", since=NOW),
    )
    assert found.text.split("\n")[1] == "- last/count/failed is bad"


LONG = "x" * 10_000
NASTY = st.text(max_size=30) | st.sampled_from(
    [
        "a\nb",
        "\r\n",
        "\u2028",
        "\x00\x1b[31m",
        "*b* _i_ `c` [x](y)",
        "<b>&amp;",
        "\u202eevil",
        "@all #x",
        "x" * (MOST_LINE_CHARS + 1),
    ]
)
nasty_notices = st.lists(
    st.builds(
        notice,
        st.just("apps"),
        NASTY,
        st.just("x"),
        news=st.sampled_from(["begins", "reminder", "over", "unwatched"]),
        text=st.just("{nasty}"),
        over=st.just("{nasty}"),
        fields=st.fixed_dictionaries({"nasty": NASTY}),
        is_late=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda each: each.alert.key,
)
nasty_mutes = st.builds(
    lambda pattern, why, by: MuteNotice(replace(MUTE, pattern=pattern, why=why, by=by), "muted"),
    NASTY,
    NASTY,
    NASTY,
)


@given(notices=nasty_notices, mute=nasty_mutes, own=NASTY)
@example(notices=[notice("apps", LONG, "x")], mute=MuteNotice(MUTE, "muted"), own=LONG)
@example(
    notices=[notice("apps", LONG + name, "x") for name in "abcd"],
    mute=MuteNotice(replace(MUTE, pattern=LONG, why=LONG, by=LONG), "muted"),
    own="box",
)
def test_foreign_text_never_breaks_a_line_nor_makes_one_endless(
    notices: list[Notice], mute: MuteNotice, own: str
) -> None:
    found = message_of(notices, (mute,), around(name=own))
    assert found is not None
    lines = found.text.split("\n")
    alike = Counter(each.news for each in notices)
    entries = 1 + sum(count if count <= MOST_ALIKE else 1 for count in alike.values())
    is_cut = lines[-1].startswith("... and ")
    assert len(lines) <= 1 + entries if is_cut else len(lines) == (1 if entries == 1 else 1 + entries)
    for line in (*lines, found.subject):
        assert not UNPRINTABLE.search(line)
        assert len(line) <= MOST_LINE_CHARS + len("[] ") + 60
    assert len(found.subject) <= MOST_SUBJECT_CHARS


def test_markdown_in_names_stays_as_it_is() -> None:
    text = "apps: *PROD* _x_ `y` [z](http://example.org) <b>&amp;</b> is stale"
    assert message(notice(text="{text}", fields={"text": text})).text == f"[box] {text}"


@pytest.mark.parametrize(
    "own", ["box", "[box]", "a\nb", "x" * 10_000], ids=["plain", "brackets", "lines", "long"]
)
def test_its_name_stands_in_front_of_every_message(own: str) -> None:
    surroundings = around(name=own)
    several = message(notice(), notice("a", "b", "c"), surroundings=surroundings)
    shown = "x" * 59 + "…" if len(own) > 60 else own.replace("\n", "\\n")
    for found in (message(notice(), surroundings=surroundings), several, trial(own, None)):
        assert found.text.startswith(f"[{shown}] ")
        assert found.subject.startswith(f"[{shown}] ")


def test_a_subject_is_short_even_with_a_long_name_and_many_of_everything() -> None:
    news: tuple[News, ...] = ("begins", "over", "unwatched")
    notices = (notice(f"p{number}", "a", "x", news=each) for each in news for number in range(1000))
    found = message(*notices, surroundings=around(name="x" * 100))
    assert len(found.subject) <= MOST_SUBJECT_CHARS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "[box] a test message; this channel works"),
        ("", "[box] a test message; this channel works"),
        ("moving\nhouse", "[box] moving\\nhouse"),
    ],
    ids=["default", "empty", "lines"],
)
def test_a_trial_says_what_it_is_or_what_was_asked_for(text: str | None, said: str) -> None:
    assert trial("box", text) == Message(subject=said, text=said, tone="info")


def test_a_long_trial_is_cut() -> None:
    found = trial("box", "x" * 10_000)
    assert len(found.text) <= MOST_CHARS + len("[box] ")
    assert len(found.subject) <= MOST_SUBJECT_CHARS


def test_a_message_has_one_link_however_many_problems_and_its_text_does_not_hold_it() -> None:
    one = message_of([notice("apps", "PROD", "stale")], [], around(has_page=True))
    assert one is not None
    assert one.link == "apps/PROD/stale"
    mute = Mute(pattern="apps/*", since=SINCE, until=NOW + timedelta(hours=1), why="", by="")
    two = message_of([notice("apps", "PROD", "stale")], [MuteNotice(mute, "muted")], around(has_page=True))
    assert two is not None
    assert two.link == "apps/* apps/PROD/stale"
    without = message_of([notice("apps", "PROD", "stale")], [], around())
    assert without == replace(one, link="")


def test_those_outside_their_hours_share_no_line_with_those_that_were_removed() -> None:
    ended = unreachable(9, "unwatched")
    found = message(*map(outside_its_hours, ended[:4]), *ended[4:])
    assert sorted(found.text.split("\n")[1:]) == [
        "- no longer watched: apps: 5 targets unreachable: E, F, G, H and I",
        "- outside their hours: apps: 4 targets unreachable: A, B, C and D",
    ]
