"""The report of one slot: its facts, what is sent, what is not."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest

from support.park import Park, facts_of, settings
from tallyd.core.errors import RecordsError, SourceError
from tallyd.core.reading import Reading

NOBODY = {"in": 0, "out": 0, "inside": 0, "other": 0, "balance": 0, "corrected": 0}


def busy(**report_keys: Any) -> Park:
    """Return a park on the morning of November 20: three in and one out, four out by a gate of its own."""
    park = Park(settings(**report_keys))
    park.passes("12", "2026-11-20T08:15:07", times=3)
    park.passes("12", "2026-11-20T09:00:00", "out")
    park.passes("12", "2026-11-20T09:30:00", "other")
    park.passes("back door", "2026-11-20T10:00:59", "out", times=4)
    return park


def only(readings: tuple[Reading, ...]) -> Reading:
    (reading,) = readings
    return reading


def test_the_facts_are_the_days_counts_of_all_of_each_source_and_of_each_group() -> None:
    reading = only(busy().report("2026-11-20T10:05", now="2026-11-20T10:05:01"))
    facts = facts_of(reading)
    sent = facts.pop("report")
    assert facts == {
        "day": "2026-11-20",
        "window": {
            "from": "2026-11-20T00:00:00+01:00",
            "to": "2026-11-20T10:05:00+01:00",
            "first": "2026-11-20T08:15:07+01:00",
            "last": "2026-11-20T10:00:59+01:00",
            "inside_from": "2026-11-20T00:00:00+01:00",
        },
        "counts": {"in": 3, "out": 5, "inside": 0, "other": 1, "balance": -2, "corrected": 0},
        "by_source": {
            "23": NOBODY,
            "12": {"in": 3, "out": 1, "inside": 2, "other": 1, "balance": 2, "corrected": 0},
            "back door": {"in": 0, "out": 4, "inside": 0, "other": 0, "balance": -4, "corrected": 0},
        },
        "by_group": {"both": {"in": 3, "out": 1, "inside": 2, "other": 1, "balance": 2, "corrected": 0}},
        "names": {"12": "Gate 12"},
    }
    assert reading.part is None
    assert (sent["state"], sent["answer"], len(sent["payload"])) == ("queued", None, 3)
    assert [(message.ssid, str(message.day)) for message in reading.outbox] == [("SS-007", "2026-11-20")]
    assert sent["payload"] == reading.outbox[0].body


def test_the_inside_of_a_group_is_that_of_its_sums() -> None:
    park = Park(settings())
    park.passes("12", "2026-11-20T08:00", "out", times=5)
    park.passes("23", "2026-11-20T08:00", times=7)
    facts = facts_of(only(park.report("2026-11-20T09:00")))
    assert facts["by_source"]["12"]["inside"] == 0
    assert facts["by_source"]["23"]["inside"] == 7
    assert facts["by_group"]["both"]["inside"] == facts["counts"]["inside"] == 2


class TestReset:
    """A bar that closes at 03:00 counts from 04:00 on who is inside."""

    def bar(self, **report_keys: Any) -> Park:
        park = Park(settings(**report_keys).model_copy(update={"reset_at": time(4)}))
        park.passes("12", "2026-11-20T22:15", times=9)
        park.passes("12", "2026-11-20T23:30", "out", times=2)
        return park

    def counts(self, reading: Reading) -> dict[str, int]:
        counts: dict[str, int] = facts_of(reading)["counts"]
        return counts

    def test_at_midnight_guests_stay_inside_while_the_sums_of_the_day_begin_anew(self) -> None:
        park = self.bar()
        park.report("2026-11-20T23:55")
        last, first = park.report("2026-11-21T00:05")
        assert self.counts(last) == {"in": 9, "out": 2, "inside": 7, "other": 0, "balance": 7, "corrected": 0}
        assert self.counts(first) == {
            "in": 0,
            "out": 0,
            "inside": 7,
            "other": 0,
            "balance": 7,
            "corrected": 0,
        }
        assert facts_of(first)["window"]["inside_from"] == "2026-11-20T04:00:00+01:00"
        assert [each.body[0]["TagValue"] for each in first.outbox] == ["7"]  # type: ignore[index,call-overload] # a list of three objects

    def test_at_the_reset_nobody_is_inside_although_two_were_not_seen_as_they_left(self) -> None:
        park = self.bar()
        park.passes("12", "2026-11-21T02:50", "out", times=5)
        assert [self.counts(park.report(f"2026-11-21T{at}")[-1])["inside"] for at in ("03:55", "04:00")] == [
            2,
            0,
        ]
        park.passes("12", "2026-11-21T20:00")
        assert self.counts(park.report("2026-11-21T20:05")[-1]) == {
            "in": 1,
            "out": 5,
            "inside": 1,
            "other": 0,
            "balance": 1,
            "corrected": 0,
        }

    def test_the_upstream_is_sent_the_fall_to_zero_though_it_wants_nothing_of_an_empty_day(self) -> None:
        park = self.bar()
        sent = [park.report(f"2026-11-21T{at}")[-1].outbox for at in ("03:55", "04:00")]
        assert [each.body[0]["TagValue"] for (each,) in sent] == ["7", "0"]  # type: ignore[index,call-overload] # a list of three objects
        assert park.report("2026-11-22T00:05")[-1].outbox == (), "of the next day nothing was sent"

    def test_before_the_reset_a_camera_with_a_fast_clock_counts_for_the_time_after_it(self) -> None:
        park = self.bar()
        park.passes("12", "2026-11-21T04:01", times=3)
        assert self.counts(park.report("2026-11-21T03:58")[-1])["inside"] == 7
        assert self.counts(park.report("2026-11-21T04:00")[-1])["inside"] == 3


def test_a_correction_is_what_the_upstream_gets_and_the_counts_stay() -> None:
    park = busy()
    park.corrects("12", "2026-11-20T10:00", 7)
    reading = only(park.report("2026-11-20T10:05"))
    facts = facts_of(reading)
    assert facts["counts"] == {"in": 3, "out": 5, "inside": 3, "other": 1, "balance": -2, "corrected": 5}
    assert facts["by_source"]["12"]["inside"] == facts["by_group"]["both"]["inside"] == 7
    assert [each["TagValue"] for each in facts["report"]["payload"]] == ["3", "3", "5"]


def test_a_past_day_that_is_corrected_is_reported_again() -> None:
    park = busy()
    park.report("2026-11-20T23:55")
    assert park.days("2026-11-21T00:05")[0] == ("2026-11-20", True, 3)
    assert len(park.days("2026-11-21T00:10")) == 1
    park.corrects("12", "2026-11-20T18:00", 7)
    final, _ = park.report("2026-11-21T00:15")
    assert facts_of(final)["counts"]["inside"] == 3
    assert len(park.days("2026-11-21T00:20")) == 1


def test_each_name_of_the_upstream_has_a_report_of_its_own() -> None:
    reading = only(busy(ssid={"12": "SS-1", "both": "SS-2"}).report("2026-11-20T10:05"))
    assert {each.ssid: each.body[1]["TagValue"] for each in reading.outbox} == {"SS-1": "3", "SS-2": "3"}  # type: ignore[index,call-overload] # a list of three objects
    assert [each["SSID"] for each in facts_of(reading)["report"]["payload"]] == ["SS-1"] * 3 + ["SS-2"] * 3


def test_a_name_without_a_record_is_skipped_by_itself() -> None:
    reading = only(busy(ssid={"12": "SS-1", "23": "SS-2"}).report("2026-11-20T10:05"))
    assert [message.ssid for message in reading.outbox] == ["SS-1"]


@pytest.mark.parametrize(
    ("keys", "is_empty", "state", "objects", "messages"),
    [
        pytest.param({}, True, "skipped", None, 0, id="nobody yet"),
        pytest.param({"when_empty": "zeros"}, True, "queued", 3, 1, id="nobody yet, and the report says so"),
        pytest.param({"send": False}, False, "off", 3, 0, id="beside an old system"),
        pytest.param({"send": False}, True, "off", None, 0, id="beside an old system, nobody yet"),
        pytest.param({"url": None}, False, "off", 3, 0, id="a name, but no address"),
        pytest.param({"url": None, "ssid": None}, False, "off", None, 0, id="no upstream"),
        pytest.param({"url": None, "ssid": None, "when_empty": "zeros"}, True, "off", None, 0, id="at all"),
    ],
)
def test_what_is_not_posted_says_so(
    keys: dict[str, Any], is_empty: bool, state: str, objects: int | None, messages: int
) -> None:
    park = Park(settings(**keys)) if is_empty else busy(**keys)
    reading = only(park.report("2026-11-20T10:05"))
    report = facts_of(reading)["report"]
    assert (report["state"], report["answer"]) == (state, None)
    assert (report["payload"] and len(report["payload"])) == objects
    assert len(reading.outbox) == messages


def test_zeros_last_from_midnight_to_the_slot() -> None:
    reading = only(Park(settings(when_empty="zeros")).report("2026-11-20T10:05"))
    window = facts_of(reading)["window"]
    assert (window["first"], window["last"]) == (None, None)
    payload = facts_of(reading)["report"]["payload"]
    assert {(each["TagValue"], each["StartTime"], each["EndTime"]) for each in payload} == {
        ("0", "20261120000000", "20261120100500")
    }


def test_a_record_of_a_clock_that_is_ahead_counts_today() -> None:
    park = Park(settings())
    park.passes("12", "2026-11-20T10:09:59")
    assert park.days("2026-11-20T10:05") == [("2026-11-20", False, 1)]


def test_while_the_database_is_away_there_is_no_reading_and_another_try_is_worth_it() -> None:
    park = busy()
    park.records.fault = RecordsError("PostgreSQL at db.example is away")
    with pytest.raises(SourceError) as caught:
        park.report("2026-11-20T10:05")
    assert (caught.value.text, caught.value.transient) == ("PostgreSQL at db.example is away", True)
    assert caught.value.__suppress_context__


def test_by_hand_it_is_of_now_and_remembers_nothing() -> None:
    park = busy()
    reading = only(park.report("2026-11-20T10:00", now="2026-11-20T10:01:30", in_timetable=False))
    assert facts_of(reading)["window"]["to"] == "2026-11-20T10:01:30+01:00"
    assert park.memory == {}


def test_a_slot_that_is_caught_up_is_of_its_own_time_with_what_is_known_by_now() -> None:
    park = busy()
    park.passes("12", "2026-11-20T10:06")
    facts = facts_of(only(park.report("2026-11-20T10:05", now="2026-11-20T10:09")))
    assert facts["window"]["to"] == "2026-11-20T10:05:00+01:00"
    assert facts["counts"]["in"] == 4


def test_a_slot_of_yesterday_that_is_caught_up_today_is_yesterdays_and_not_its_last() -> None:
    park = busy()
    (reading,) = park.report("2026-11-20T23:58", now="2026-11-21T00:02")
    assert (facts_of(reading)["day"], "final" in facts_of(reading)) == ("2026-11-20", False)
    assert park.days("2026-11-21T00:05") == [("2026-11-20", True, 3), ("2026-11-21", False, 0)]
