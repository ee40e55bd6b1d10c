"""What is said of an inbox: sequences of looks, restarts, hours, and what is to be named after each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest

from support.past import arrival
from support.sweeping import at, keys, seconds, settings_of
from support.toolbox import BERLIN
from support.wording import over_of, text_of
from tallyd.contract.arrivals import Arrival
from tallyd.contract.inbox import Look
from tallyd.contract.passages import LedgerRow
from tallyd.core.hosts import Host
from tallyd.core.reading import Facts, Problem
from tallyd.pollers.visitors.alerts.alert_kinds import EVALUATES
from tallyd.pollers.visitors.alerts.memory import MOST_SOURCES, read_memory, to_remember
from tallyd.pollers.visitors.alerts.problems import Evaluated, Run, evaluate
from tallyd.pollers.visitors.alerts.shared import NOTED_EVERY, Shared
from tallyd.pollers.visitors.ingest.sweep_counts import Tally
from tallyd.pollers.visitors.settings import VisitorsSettings

FOUR = {"12": {"label": "Gate 12"}, "23": {}, "24": {}, "32": {}}
DAYTIME = {"after": "5m", "active": [{"from": "09:00", "to": "18:00"}]}
NOON = at("12:00")
HERE = "pi (/state)"


@dataclass
class Watch:
    """Looks, one after the other, by a process that remembers what it asked to."""

    settings: VisitorsSettings = field(
        default_factory=lambda: settings_of(sources=FOUR, no_files={"after": "5m"})
    )
    memory: Facts = field(default_factory=dict)
    arrivals: dict[str, datetime] = field(default_factory=dict)
    table: dict[str, Arrival] = field(default_factory=dict)
    hosts: tuple[Host, ...] = ()
    writes: list[datetime] = field(default_factory=list)
    evaluated: Evaluated | None = None
    now: datetime = NOON

    def text(self, problem: Problem) -> str:
        """Return the text of a problem as it is read at the last look."""
        return text_of(problem, now=self.now)

    def look(
        self,
        now: datetime,
        *came: str,
        state: Literal["here", "gone", "unmounted"] = "here",
        untakable: Mapping[str, str] | None = None,
        is_blind: bool = False,
        tally: Tally | None = None,
        ledger: tuple[LedgerRow, ...] | None = None,
    ) -> tuple[Problem, ...]:
        """Look at a time, at which files of some sources came; return the problems."""
        self.now = now
        self.arrivals |= dict.fromkeys(came, now)
        look = Look(state=state, arrivals=dict(self.arrivals), untakable=untakable or {}, is_blind=is_blind)
        run = Run(
            poller="park",
            zone=BERLIN,
            looked_at=now,
            now=now,
            look=look,
            tally=tally or Tally(),
            shared=self.shared(now),
            ledger=ledger,
        )
        known = read_memory(self.memory, now)
        self.evaluated = evaluate(run, known, self.settings)
        self.note(now)
        memory = to_remember(known, self.evaluated.memory, self.memory)
        if memory is not None:
            self.memory = json.loads(json.dumps(memory))
            self.writes.append(now)
        return self.evaluated.problems

    def shared(self, now: datetime) -> Shared:
        """Return what the table has. What is ahead of now was set back when this process began."""
        for source, each in self.table.items():
            self.table[source] = replace(each, last_file_at=min(each.last_file_at, now))
        return Shared(arrivals=dict(self.table), hosts=self.hosts, here=HERE, read_at=now, answers_since=NOON)

    def note(self, now: datetime) -> None:
        """Note what came, if the last note of a source is ten seconds old."""
        for source, came_at in self.arrivals.items():
            known = self.table.get(source)
            if known is None or not NOTED_EVERY > now - known.seen_at >= timedelta():
                self.table[source] = arrival(min(came_at, now).replace(microsecond=0), host=HERE, seen_at=now)

    def text_of(self, problems: tuple[Problem, ...], key: str) -> str:
        (found,) = [self.text(each) for each in problems if each.key == key]
        return found

    def restart(self) -> None:
        self.arrivals = {}

    @property
    def evaluates(self) -> frozenset[str]:
        assert self.evaluated is not None
        return self.evaluated.evaluates


ALL = tuple(FOUR)


def quiet(problems: tuple[Problem, ...]) -> list[str]:
    return [each.split("/")[1] for each in keys(problems) if each.endswith("/no-files")]


# ---- no files ----------------------------------------------------------------------------------------------


def test_a_source_that_falls_silent_is_named_with_its_last_file_and_the_others() -> None:
    watch = Watch()
    watch.look(at("12:00:00"), *ALL)
    watch.look(at("12:01:22"), "12")
    assert watch.look(at("12:06:21"), "23", "24", "32") == ()
    (found,) = watch.look(at("12:06:22"), "23", "24", "32")
    assert found.key == "park/12/no-files"
    assert watch.text(found) == (
        "Gate 12: no file for 5 min, last 13:01:22. The other 3 sources deliver: look at host 12."
    )
    assert (found.since, found.severity, over_of(found)) == (
        at("12:01:22"),
        "error",
        "Gate 12: files arrive again",
    )
    assert watch.look(at("12:07:00"), "12") == ()


@pytest.mark.parametrize(
    ("sources", "delivering", "advice"),
    [
        pytest.param(ALL, ("23", "24", "32"), "The other 3 sources deliver: look at host 12.", id="all"),
        pytest.param(ALL, ("23", "24"), "2 of the other 3 sources deliver: look at host 12.", id="two"),
        pytest.param(ALL, ("23",), "1 of the other 3 sources delivers: look at host 12.", id="one"),
        pytest.param(
            ALL,
            (),
            "No other source delivers either: check the network and the program that writes the files.",
            id="none",
        ),
        pytest.param(("12", "23"), ("23",), "The other source delivers: look at host 12.", id="of two"),
        pytest.param(("12",), (), "Check host 12 and the network.", id="the only one"),
    ],
)
def test_where_to_look_follows_from_which_others_deliver(
    sources: tuple[str, ...], delivering: tuple[str, ...], advice: str
) -> None:
    watch = Watch(settings_of(sources={name: {} for name in sources}, no_files={"after": "5m"}))
    watch.look(NOON, *sources)
    found = watch.look(NOON + seconds(300), *delivering)
    text = watch.text_of(found, "park/12/no-files")
    assert text.endswith(f"last 13:00. {advice}")


def test_a_source_that_never_delivered_is_watched_from_the_first_start_on() -> None:
    watch = Watch(settings_of(sources={"12": {}}, no_files={"after": "5m"}))
    assert watch.look(NOON) == ()
    watch.restart()
    assert watch.look(NOON + seconds(299)) == ()
    (found,) = watch.look(NOON + seconds(300))
    assert watch.text(found).startswith("12: no file for 5 min, none since tallyd started to watch. ")
    watch.settings = settings_of(sources={"12": {}, "23": {}}, no_files={"after": "5m"})
    assert quiet(watch.look(NOON + seconds(400))) == ["12"], "one that is new is watched from now on"
    assert quiet(watch.look(NOON + seconds(700))) == ["12", "23"]


@pytest.mark.parametrize(
    "keys_", [{"sources": FOUR, "no_files": {"per_source": False}}, {"no_files": {}}], ids=["asked", "none"]
)
def test_the_inbox_as_a_whole_is_watched_where_no_source_is(keys_: dict[str, Any]) -> None:
    watch = Watch(settings_of(**keys_))
    watch.look(NOON, "12", "99")
    watch.look(NOON + seconds(60), "99")
    assert watch.look(NOON + seconds(359)) == ()
    (found,) = watch.look(NOON + seconds(360))
    assert found.key == "park/inbox/no-files"
    assert watch.text(found) == (
        "park: no file for 5 min, last 13:01. Check the network and the program that writes files into inbox."
    )
    assert watch.look(NOON + seconds(361), "7") == ()


def test_without_no_files_nothing_is_watched_and_what_was_named_ends() -> None:
    watch = Watch()
    watch.look(NOON, *ALL)
    assert len(watch.look(NOON + seconds(300))) == 4
    watch.settings = settings_of(sources=FOUR)
    assert watch.look(NOON + seconds(302)) == ()
    assert watch.evaluates == EVALUATES


def test_a_silence_goes_on_through_a_restart() -> None:
    watch = Watch()
    watch.look(NOON, *ALL)
    before = watch.look(NOON + seconds(300), "23", "24", "32")
    watch.restart()
    after = watch.look(NOON + seconds(302))
    assert keys(after) == keys(before)
    assert after[0].since == before[0].since


def test_a_restart_causes_no_early_alarm_and_delays_none_by_more_than_what_was_not_written() -> None:
    watch = Watch()
    for second in range(0, 100, 2):
        watch.look(NOON + seconds(second), *ALL)
    last_at = NOON + seconds(98)
    watch.restart()
    assert watch.look(last_at + seconds(299)) == ()
    assert len(watch.look(last_at + seconds(320))) == 4


def test_outside_the_active_hours_nothing_is_named_and_nothing_ends() -> None:
    watch = Watch(settings_of(sources={"12": {}, "23": {}}, no_files=DAYTIME))
    watch.look(at("16:50"), "12", "23")
    assert quiet(watch.look(at("16:59:59"), "23")) == ["12"]
    assert watch.look(at("17:00"), "23") == ()
    assert "no-files" not in watch.evaluates
    assert EVALUATES - watch.evaluates == {"no-files"}
    watch.restart()
    next_day = at("08:00") + timedelta(days=1)
    (found,) = watch.look(next_day, "23")
    assert (found.key, found.since) == ("park/12/no-files", at("16:50")), "no file has come"
    assert "no file for 15 h 10 min, last Fri 17:50" in watch.text(found)
    assert watch.look(next_day + seconds(2), "12") == ()
    assert "no-files" in watch.evaluates


@pytest.mark.parametrize(
    ("day", "begin"),
    [("2026-11-20", "08:00"), ("2026-07-20", "07:00"), ("2026-10-25", "08:00"), ("2026-03-29", "07:00")],
    ids=["winter", "summer", "clocks were put back", "clocks were put forward"],
)
def test_in_the_morning_silence_counts_from_the_beginning_of_the_hours(day: str, begin: str) -> None:
    watch = Watch(settings_of(sources={"12": {}}, no_files=DAYTIME))
    begin_at = datetime.fromisoformat(f"{day}T{begin}:00+00:00")
    watch.look(begin_at - timedelta(hours=16), "12")
    assert watch.look(begin_at - seconds(1)) == ()
    assert "no-files" not in watch.evaluates
    assert watch.look(begin_at + seconds(299)) == ()
    assert "no-files" in watch.evaluates
    (found,) = watch.look(begin_at + seconds(300))
    assert found.since == begin_at


def test_a_clock_that_is_set_back_delays_an_alarm_by_no_more_than_its_time() -> None:
    watch = Watch(settings_of(sources={"12": {}}, no_files={"after": "5m"}))
    watch.look(NOON + timedelta(days=900), "12")
    watch.restart()
    assert watch.look(NOON) == ()
    watch.restart()
    assert watch.look(NOON + seconds(200)) == ()
    assert len(watch.look(NOON + seconds(330))) == 1
    assert watch.look(NOON + seconds(340), "12") == ()


# ---- the inbox itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("gone", "the inbox inbox has been missing since 13:00, so nothing is counted. Create it again"),
        ("unmounted", "nothing has been mounted on the inbox inbox since 13:00, so nothing is counted."),
    ],
)
def test_an_inbox_that_is_gone_is_a_problem_after_a_moment_and_no_silence_with_it(
    state: Literal["gone", "unmounted"], text: str
) -> None:
    watch = Watch()
    watch.look(NOON - seconds(400), *ALL)
    assert watch.look(NOON, state=state) == ()
    assert watch.evaluates == EVALUATES - {"no-files", "unreadable"}
    assert watch.look(NOON + seconds(9), state=state) == ()
    watch.restart()
    (found,) = watch.look(NOON + seconds(10), state=state)
    assert found.key == "park/inbox/inbox-gone"
    assert text in watch.text(found)
    assert watch.look(NOON + seconds(600)) == (), "the time of silence begins when it is back"
    assert watch.evaluates == EVALUATES
    assert watch.look(NOON + seconds(899)) == ()
    assert len(watch.look(NOON + seconds(920))) == 4


def test_a_source_that_was_silent_before_the_inbox_went_stays_so_when_it_is_back() -> None:
    watch = Watch()
    watch.look(NOON, *ALL)
    watch.look(NOON + seconds(300), "23", "24", "32")
    watch.look(NOON + seconds(302), state="gone")
    watch.look(NOON + seconds(400), state="gone")
    assert quiet(watch.look(NOON + seconds(402), "23", "24", "32")) == ["12"]


def test_a_mount_that_blinks_does_not_put_off_an_alarm_for_ever() -> None:
    watch = Watch(settings_of(sources={"12": {}}, no_files={"after": "5m"}))
    watch.look(NOON, "12")
    for second in range(60, 300, 60):
        watch.look(NOON + seconds(second), state="gone")
        watch.look(NOON + seconds(second + 2))
    assert quiet(watch.look(NOON + seconds(300))) == ["12"]


def test_an_inbox_that_cannot_be_looked_into_is_unreadable_and_not_silent() -> None:
    watch = Watch()
    watch.look(NOON - seconds(400), *ALL)
    reason = {".tallyd/lock": "/srv/inbox is the inbox of another tallyd (process 7); stop that one."}
    assert watch.look(NOON, untakable=reason, is_blind=True) == ()
    assert watch.evaluates == EVALUATES - {"no-files"}
    (found,) = watch.look(NOON + seconds(10), untakable=reason, is_blind=True)
    assert found.key == "park/inbox/unreadable"
    assert "1 file or folder in the inbox cannot be read or moved, since 13:00: .tallyd/lock: " in watch.text(
        found
    )
    assert "is the inbox of another tallyd (process 7); stop that one. tallyd retries" in watch.text(found)


def test_files_that_cannot_be_read_are_a_problem_after_a_moment_with_the_first_of_them() -> None:
    watch = Watch(settings_of())
    trouble = {"12/b.json": "input/output error", "12/a.json": "permission denied; let the user read it"}
    assert watch.look(NOON, untakable=trouble) == ()
    (found,) = watch.look(NOON + seconds(10), untakable=trouble)
    assert watch.text(found) == (
        "park: 2 files and folders in the inbox cannot be read or moved, since 13:00: "
        "12/a.json: permission denied; let the user read it. tallyd retries every minute."
    )
    assert watch.look(NOON + seconds(12)) == ()
    assert watch.look(NOON + seconds(14), untakable=trouble) == (), "it begins anew"


def test_what_could_not_be_read_goes_on_through_a_restart_although_it_is_retried_first() -> None:
    watch = Watch(settings_of())
    trouble = {"12/a.json": "input/output error"}
    watch.look(NOON, untakable=trouble)
    watch.look(NOON + seconds(10), untakable=trouble)
    watch.restart()
    tally = Tally(failed={"12/a.json": "12/a.json: input/output error"})
    assert keys(watch.look(NOON + seconds(20), tally=tally)) == ["park/inbox/unreadable"]


# ---- refused -----------------------------------------------------------------------------------------------

MISSING = 'record 1: "inOut" is missing'


def rejected(now: datetime, *names: str, ahead_s: float | None = None, reason: str = MISSING) -> Tally:
    tally = Tally()
    for name in names:
        ahead = None if ahead_s is None else seconds(ahead_s)
        tally.bad("24", name, reason, ahead, now)
    return tally


def good() -> Tally:
    tally = Tally(done=1)
    tally.good("24")
    return tally


def rows(count: int, stored_at: datetime, reason: str = MISSING) -> tuple[LedgerRow, ...]:
    return tuple(
        LedgerRow(
            source="24",
            sha256=f"{number}",
            name=f"24/{number}.json",
            size=9,
            records=None,
            state="rejected",
            reason=reason,
            ingested_at=stored_at.replace(microsecond=0),
        )
        for number in range(count)
    )


def test_the_problem_of_a_host_whose_clock_is_ahead_says_what_to_do() -> None:
    watch = Watch(settings_of(sources={"24": {"label": "Hall 24"}}))
    for number in range(31):
        now = at("08:02:10") + seconds(10 * number)
        found = watch.look(now, tally=rejected(now, f"{number}", ahead_s=27 * 60 + 31))
    assert [(each.key, each.severity) for each in found] == [("park/24/rejected", "error")]
    assert watch.text(found[0]) == (
        "Hall 24: all 31 files since 09:02:10 rejected: times 27 min ahead. "
        "Set that host's clock, then: tallyd replay --all --source 24"
    )
    assert over_of(found[0]) == "Hall 24: good files arrive again"


def test_another_reason_is_named_as_it_is_and_where_to_read_more() -> None:
    watch = Watch(settings_of())
    (found,) = watch.look(NOON, tally=rejected(NOON, "a"))
    assert watch.text(found) == (
        f"24: the only file since 13:00 rejected: {MISSING}. Reasons: .tallyd/rejected/24/*.reason.json in "
        "the inbox. Fix that host, or fields and time_format in the config, then: "
        "tallyd replay --all --source 24"
    )


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("is larger than max_bytes (10): 11 bytes", "raise max_bytes, then: tallyd replay"),
        ("its newest record is older than 90 d: too old", "raise database.keep_days, then: tallyd"),
        ("is invalid JSON", "rejected: the last one is invalid JSON. "),
    ],
)
def test_the_advice_is_that_of_the_reason(reason: str, advice: str) -> None:
    watch = Watch(settings_of())
    (found,) = watch.look(NOON, tally=rejected(NOON, "a", reason=reason))
    assert advice in watch.text(found)


def test_where_only_the_last_is_ahead_the_clock_is_not_blamed_for_all() -> None:
    watch = Watch(settings_of())
    watch.look(NOON, tally=rejected(NOON, "a"))
    (found,) = watch.look(NOON + seconds(2), tally=rejected(NOON, "b", ahead_s=900, reason="record 1: ahead"))
    assert "all 2 files since 13:00 rejected: record 1: ahead. Reasons: " in watch.text(found)


def test_files_that_are_good_meanwhile_make_it_a_warning() -> None:
    watch = Watch(settings_of())
    watch.look(NOON, tally=rejected(NOON, "a", "b"))
    (found,) = watch.look(NOON + seconds(2), tally=good())
    assert (found.severity, watch.text(found)[:39]) == ("warning", "24: 2 files since 13:00 rejected: recor")


def test_it_is_over_an_hour_after_the_last_refusal_once_a_good_file_came() -> None:
    watch = Watch(settings_of())
    watch.look(NOON, tally=rejected(NOON, "a"))
    assert len(watch.look(NOON + seconds(9000))) == 1, "nothing good has come"
    assert watch.look(NOON + seconds(9002), tally=good()) == ()
    watch.look(NOON + seconds(10000), tally=rejected(NOON + seconds(10000), "b"))
    watch.look(NOON + seconds(10002), tally=good())
    assert len(watch.look(NOON + seconds(13599))) == 1
    assert watch.look(NOON + seconds(13600)) == ()


def test_it_goes_on_through_a_restart() -> None:
    watch = Watch(settings_of())
    before = watch.look(NOON, tally=rejected(NOON, "a", "b"))
    watch.restart()
    assert watch.look(NOON + seconds(60)) == before


def test_good_files_while_it_lasts_are_not_written_down_one_by_one() -> None:
    watch = Watch(settings_of())
    watch.look(NOON, tally=rejected(NOON, "a"))
    watch.look(NOON + seconds(2), tally=good())
    before = len(watch.writes)
    for second in range(4, 60, 2):
        watch.look(NOON + seconds(second), tally=good())
    assert len(watch.writes) == before


def test_the_ledger_has_the_last_word_of_how_many_are_rejected() -> None:
    watch = Watch(settings_of())
    later = NOON + seconds(30)
    (found,) = watch.look(later, tally=rejected(NOON, "a", "b", "c"), ledger=rows(2, NOON))
    assert "all 2 files since 13:00 rejected" in watch.text(found), (
        "one was refused twice: it could not be moved"
    )
    assert watch.look(NOON + seconds(60), ledger=()) == (), "replayed, and good"


def test_what_a_process_refused_before_it_died_is_found_by_the_next() -> None:
    watch = Watch(settings_of())
    watch.look(NOON)
    watch.restart()
    (found,) = watch.look(NOON + seconds(90), ledger=rows(3, NOON + seconds(60)))
    assert "24: 3 files since 13:01 rejected" in watch.text(found)
    assert found.severity == "warning", "whether others were good is not known"


def test_what_is_over_is_not_raised_again_by_its_rows_in_the_ledger() -> None:
    watch = Watch(settings_of())
    stored = NOON + timedelta(milliseconds=300)
    watch.look(stored, tally=rejected(stored, "a"), ledger=rows(1, stored))
    watch.look(stored + seconds(5), tally=good(), ledger=rows(1, stored))
    assert watch.look(stored + seconds(3600)) == ()
    for later_s in (3600.5, 3601, 9999):
        assert watch.look(stored + seconds(later_s), ledger=rows(1, stored)) == ()


def test_what_was_rejected_while_the_clock_was_far_ahead_keeps_no_alert_open() -> None:
    watch = Watch(settings_of())
    ahead = NOON + timedelta(days=40)
    assert len(watch.look(ahead, tally=rejected(ahead, "a"), ledger=rows(1, ahead))) == 1
    assert watch.look(NOON, tally=good(), ledger=rows(1, ahead)) == ()
    assert watch.look(NOON + seconds(60), ledger=rows(1, ahead)) == ()


# ---- what is remembered ------------------------------------------------------------------------------------


def test_neither_an_idle_pass_nor_one_with_good_files_writes_what_is_remembered() -> None:
    watch = Watch()
    for second in range(0, 120, 2):
        watch.look(NOON + seconds(second), *ALL, tally=good(), ledger=rows(3, NOON - seconds(9000)))
    assert len(watch.writes) == 1, "the first"
    for second in range(120, 500, 2):
        watch.look(NOON + seconds(second))
    assert len(watch.writes) == 2, "that all are silent"


def test_a_ledger_with_newer_rejections_is_remembered_as_read_but_not_with_every_pass() -> None:
    watch = Watch()
    watch.look(NOON, *ALL)
    for second in range(2, 120, 2):
        now = NOON + seconds(second)
        watch.look(now, *ALL, tally=rejected(now, f"{second}"), ledger=rows(second, now))
    assert len(watch.writes) == 60, "the number of rejected files"
    watch.restart()
    known = read_memory(watch.memory, NOON + seconds(120))
    assert known.ledger_at == NOON + seconds(118)


def test_a_silence_is_the_same_problem_for_as_long_as_it_lasts() -> None:
    watch = Watch(settings_of(sources={"12": {}}, no_files={"after": "5m"}))
    watch.look(NOON, "12")
    (first,) = watch.look(NOON + seconds(300))
    assert all(watch.look(NOON + seconds(second)) == (first,) for second in range(302, 3600, 2))


@pytest.mark.parametrize(
    "memory",
    [
        {"watched": [], "rejected": {"24": 7}, "quiet": {"12": {"since": "x"}}},
        {"watched": {"12": "yesterday"}, "rejected": {"24": {"since": "2026-11-20T11:00:00.000000Z"}}},
        {"database": {"reason": 7}, "unseen_since": 5, "ledger_at": "x"},
    ],
    ids=["other kinds", "other texts", "holes"],
)
def test_what_cannot_be_read_of_it_is_as_if_it_had_never_been(memory: Facts) -> None:
    watch = Watch(memory=memory)
    assert watch.look(NOON) == ()
    assert watch.look(NOON + seconds(299)) == ()
    assert len(watch.look(NOON + seconds(300))) == 4


def test_what_is_remembered_is_bounded() -> None:
    watch = Watch()
    watch.look(NOON, *ALL)
    strangers = [f"s{number}" for number in range(MOST_SOURCES + 50)]
    tally = Tally()
    for name in strangers:
        tally.bad(name, "a.json", "is invalid JSON", None, NOON)
    watch.look(NOON + seconds(30), *strangers, tally=tally)
    levels = watch.memory["rejected"]
    assert isinstance(levels, dict)
    assert len(levels) == MOST_SOURCES


def test_only_what_is_wrong_is_named() -> None:
    watch = Watch()
    watch.look(NOON, *ALL)
    found = watch.look(NOON + seconds(300), "23", "24", "32", tally=rejected(NOON, "a"))
    assert keys(found) == ["park/24/rejected", "park/12/no-files"]
    reading = watch.text_of(found, "park/24/rejected")
    assert reading.startswith("24: the only file since 13:00 rejected")
