"""One reading of the Divera poller: its requests, names, warnings, retries, and what it hides."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import pytest

from support.divera import KEY, divera, entry, facts, pull, read, users, vehicle
from support.toolbox import NOW, FakeHttp, answer, json_answer, refusal, slot, timeout, toolbox
from support.wording import over_of, text_of
from tallyd.contract.http import Reply
from tallyd.contract.poller import Found
from tallyd.core.errors import SourceError
from tallyd.core.reading import Reading, Slot
from tallyd.core.schedule.timetable import At
from tallyd.pollers.divera.poller import DiveraPoller
from tallyd.retry import Policy, Retrying

USERS_URL = "https://app.divera247.com/api/users"
PULL_URL = "https://app.divera247.com/api/v2/pull/all"
TS = str(int(NOW.timestamp()))
BLOCKS = ("user", "alarm", "news", "event", "status", "statusplan", "localmonitor")
QUIET = {f"ts_{block}": TS for block in BLOCKS}
STATUSES = {"50101": {"id": 1, "name": "Einsatzbereit "}, "50103": {"name": "Nicht bereit"}}


def requests_of(poller: DiveraPoller, *answers: Reply | Exception) -> FakeHttp:
    http = FakeHttp(*answers)
    poller.jobs()[0].run(slot(), toolbox(http))
    return http


class TestJob:
    def test_it_counts_at_its_times_on_its_days(self) -> None:
        (job,) = divera(at=["20:00", "08:00"], days=["mon-fri"], catch_up="5m").jobs()
        assert (job.name, job.catch_up_s) == ("count", 300.0)
        assert job.when == At((time(8), time(20)), frozenset(range(5)))

    def test_its_reading_evaluates_minimums(self) -> None:
        assert divera().jobs()[0].evaluates == {"below"}

    def test_the_same_settings_give_the_same_job(self) -> None:
        poller = divera()
        assert poller.jobs() == poller.jobs()

    def test_a_reading_bears_the_time_it_was_taken_and_the_skew_of_the_answer(self) -> None:
        reading = read(divera(), json_answer(users(7), skew_s=90.5))
        assert (reading.taken_at, reading.skew_s) == (NOW, 90.5)


class TestRequests:
    def test_the_list_of_users_is_asked_for_with_the_key_alone(self) -> None:
        (call,) = requests_of(divera(), json_answer(users(7))).calls
        assert (call.url, call.params) == (USERS_URL, {"accesskey": KEY})

    def test_the_monitor_is_asked_for_without_everything_else(self) -> None:
        (call,) = requests_of(divera(source="monitor"), json_answer(pull({"7": entry(1)}))).calls
        assert (call.url, call.params) == (PULL_URL, {"accesskey": KEY, **QUIET, "ts_cluster": TS})

    @pytest.mark.parametrize("keys", [{"fetch_status_names": True}, {"vehicles": True}])
    def test_the_unit_itself_is_asked_for_only_for_names_of_statuses_or_vehicles(
        self, keys: dict[str, Any]
    ) -> None:
        poller = divera(source="monitor", **keys)
        (call,) = requests_of(poller, json_answer(pull({"7": entry(1)}, statuses=STATUSES))).calls
        assert call.params == {"accesskey": KEY, **QUIET}

    def test_beside_the_list_of_users_the_names_of_statuses_are_a_second_request(self) -> None:
        poller = divera(fetch_status_names=True, url="https://divera.example/x/api/users/?accesskey=")
        calls = requests_of(poller, json_answer(users(7)), json_answer(pull(statuses=STATUSES))).calls
        assert [call.url for call in calls] == [
            "https://divera.example/x/api/users/",
            "https://divera.example/x/api/v2/pull/all",
        ]
        assert calls[1].params == {"accesskey": KEY, **QUIET}

    def test_a_url_of_ones_own_is_asked(self) -> None:
        poller = divera(url="http://127.0.0.1:8800/api/users?unit=3")
        (call,) = requests_of(poller, json_answer(users(7))).calls
        assert call.url == "http://127.0.0.1:8800/api/users?unit=3"


class TestNames:
    @pytest.mark.parametrize(
        ("poller", "answers"),
        [
            pytest.param(
                divera(fetch_status_names=True),
                (users(50101, 50103, 7), pull(statuses=STATUSES)),
                id="users",
            ),
            pytest.param(
                divera(fetch_status_names=True, source="monitor"),
                (pull({"50101": entry(1), "50103": entry(1), "7": entry(1)}, statuses=STATUSES),),
                id="monitor",
            ),
        ],
    )
    def test_fetched_names_are_stripped_remembered_and_given_to_the_statuses_that_are_counted(
        self, poller: DiveraPoller, answers: tuple[dict[str, Any], ...]
    ) -> None:
        reading = read(poller, *answers)
        names = {"50101": "Einsatzbereit", "50103": "Nicht bereit"}
        assert facts(reading)["names"] == names
        assert reading.memory == {"names": names}

    def test_names_of_the_config_win(self) -> None:
        poller = divera(fetch_status_names=True, status_names={"50101": " Bereit ", "none": "Ohne"})
        reading = read(poller, users(50101, 50103, None), pull(statuses=STATUSES))
        assert facts(reading)["names"] == {"50101": "Bereit", "50103": "Nicht bereit", "none": "Ohne"}

    def test_a_name_without_a_count_is_left_out(self) -> None:
        reading = read(divera(status_names={"50101": "Bereit", "7": "Urlaub"}), users(7))
        assert facts(reading)["names"] == {"7": "Urlaub"}

    @pytest.mark.parametrize(
        "trouble",
        [timeout(), refusal(403), answer(b"<html>"), json_answer({"success": False}), json_answer(pull())],
        ids=["timeout", "refused", "web-page", "no-success", "no-names"],
    )
    @pytest.mark.parametrize(
        ("memory", "names"),
        [
            pytest.param({"names": {"7": "Urlaub"}}, {"7": "Urlaub"}, id="remembered"),
            pytest.param({}, {}, id="never-learnt"),
            pytest.param({"names": ["damaged"]}, {}, id="memory-damaged"),
        ],
    )
    def test_where_names_cannot_be_had_the_count_goes_on_with_those_of_last_time(
        self, trouble: Reply | Exception, memory: dict[str, Any], names: dict[str, str]
    ) -> None:
        reading = read(divera(fetch_status_names=True), users(7), trouble, memory=memory)
        assert facts(reading)["counts"] == {"7": 1}
        assert facts(reading)["names"] == names
        assert reading.memory is None

    def test_remembered_names_are_not_used_once_they_are_no_longer_asked_for(self) -> None:
        reading = read(divera(), users(7), memory={"names": {"7": "Urlaub"}})
        assert facts(reading)["names"] == {}

    @pytest.mark.parametrize(
        ("statuses", "names"),
        [
            pytest.param([], {}, id="empty-in-php"),
            pytest.param({"7": []}, {}, id="entry-empty-in-php"),
            pytest.param({"7": {"name": None}}, {}, id="null"),
            pytest.param({"7": {"name": "  "}}, {}, id="only-spaces"),
            pytest.param({"7": {"name": 5}}, {}, id="number"),
            pytest.param({"x": {"name": "Urlaub"}}, {}, id="key-no-id"),
            pytest.param({"7": {"id": 8, "name": "Urlaub"}}, {"7": "Urlaub"}, id="inner-id-differs"),
            pytest.param({"7": {"name": "a\nb\x1b[0m"}}, {"7": "a\\nb\\x1b[0m"}, id="control-characters"),
            pytest.param({"7": {"name": "\ud800"}}, {"7": "\\ud800"}, id="half-a-character"),
            pytest.param({"7": {"name": "x" * 200}}, {"7": "x" * 79 + "…"}, id="endless"),
        ],
    )
    def test_names_that_are_none_are_left_out_and_odd_ones_made_readable(
        self, statuses: object, names: dict[str, str]
    ) -> None:
        reading = read(divera(fetch_status_names=True), users(7), pull(statuses=statuses))
        assert facts(reading)["names"] == names


class TestFailures:
    @pytest.mark.parametrize("status", [401, 403])
    @pytest.mark.parametrize(
        ("source", "whose"), [("users", "a system user"), ("monitor", "a monitor user or a person")]
    )
    def test_a_refused_key_says_which_kind_of_key_is_needed_and_is_not_tried_again(
        self, status: int, source: str, whose: str
    ) -> None:
        with pytest.raises(SourceError) as failure:
            read(divera(source=source), refusal(status))
        assert failure.value.text == (
            f"access key refused (HTTP {status}); it must belong to {whose} of the unit"
        )
        assert not failure.value.transient

    def test_any_other_failure_of_the_request_speaks_for_itself(self) -> None:
        trouble = timeout()
        with pytest.raises(SourceError) as failure:
            read(divera(), trouble)
        assert failure.value is trouble

    @pytest.mark.parametrize(
        "first",
        [timeout(), answer(b"<html>"), json_answer({"success": False}), json_answer(users(True))],
        ids=["timeout", "web-page", "no-success", "unreadable-row"],
    )
    def test_what_may_pass_is_retried(self, first: Reply | Exception) -> None:
        retry = Retrying(policy=Policy(attempts=2), wait=lambda _seconds: False)
        reading = read(divera(), first, users(7), retry=retry)
        assert facts(reading)["total"] == 1

    def test_a_refused_key_is_asked_once(self) -> None:
        retry = Retrying(policy=Policy(attempts=5), wait=lambda _seconds: False)
        with pytest.raises(SourceError, match="access key refused"):
            read(divera(), refusal(403), retry=retry)


class TestMinimums:
    def test_enough_people_are_no_problem(self) -> None:
        assert read(divera(at_least=[{"statuses": ["7"], "count": 2}]), users(7, 7)).problems == ()

    @pytest.mark.parametrize(
        ("at_least", "key", "text"),
        [
            pytest.param(
                {"statuses": ["50101"], "count": 6},
                "divera/50101/below",
                "divera: 2 people on Einsatzbereit (50101), minimum 6",
                id="one-status",
            ),
            pytest.param(
                {"statuses": ["50101", "7"], "count": 6},
                "divera/50101+7/below",
                "divera: 3 people on Einsatzbereit (50101) and 7, minimum 6",
                id="a-sum",
            ),
            pytest.param(
                {"statuses": ["7"], "count": 2},
                "divera/7/below",
                "divera: 1 person on 7, minimum 2",
                id="one-person",
            ),
            pytest.param(
                {"statuses": ["9"], "count": 1},
                "divera/9/below",
                "divera: 0 people on 9, minimum 1",
                id="nobody",
            ),
            pytest.param(
                {"statuses": ["none"], "count": 9},
                "divera/none/below",
                "divera: 0 people on none, minimum 9",
                id="without-status",
            ),
        ],
    )
    def test_too_few_people_are_a_warning(self, at_least: dict[str, Any], key: str, text: str) -> None:
        poller = divera(at_least=[at_least], status_names={"50101": "Einsatzbereit"})
        (problem,) = read(poller, users(50101, 50101, 7)).problems
        assert (problem.key, text_of(problem), problem.severity) == (key, text, "warning")
        assert problem.since == NOW

    def test_a_requirement_counts_qualified_people_and_is_known_by_its_name(self) -> None:
        engine = {"name": "Engine", "statuses": ["50101", "7"], "count": 6, "qualification": "2"}
        poller = divera(source="monitor", at_least=[engine])
        reading = read(poller, pull({"50101": entry(9, q2=4, q3=9), "7": entry(1)}))
        (problem,) = reading.problems
        assert problem.key == "divera/Engine/below"
        assert text_of(problem) == ("divera: Engine: 4 people with qualification 2 on 50101 and 7, minimum 6")
        assert facts(reading)["qualifications"] == {"50101": {"2": 4, "3": 9}}

    @pytest.mark.parametrize(
        ("due_at", "texts"),
        [
            # NOW is 08:00 in Berlin, on a Friday; the reading is late.
            pytest.param(NOW - timedelta(hours=3), [], id="before-its-hours"),
            pytest.param(NOW - timedelta(minutes=5), ["divera: 1 person on 7, minimum 2"], id="within"),
        ],
    )
    def test_it_is_judged_only_if_its_hours_hold_at_the_slot(
        self, due_at: datetime, texts: list[str]
    ) -> None:
        hours = {"days": ["mon-fri"], "from": "07:00", "to": "18:00"}
        poller = divera(at_least=[{"statuses": ["7"], "count": 2, "when": [hours]}])
        (job,) = poller.jobs()
        (reading,) = job.run(Slot("x", due_at), toolbox(FakeHttp(json_answer(users(7)))))
        assert [text_of(each) for each in reading.problems] == texts
        for problem in reading.problems:
            assert over_of(problem) == "divera: 7: enough people again"
        assert reading.outside_hours == (frozenset() if texts else {"divera/7/below"})

    def test_the_pollers_name_stands_in_key_and_text(self) -> None:
        poller = divera(at_least=[{"statuses": ["7"], "count": 2}])
        (problem,) = read(poller, users(7), poller="wehr-nord").problems
        assert problem.key == "wehr-nord/7/below"
        assert text_of(problem).startswith("wehr-nord: ")

    def test_a_status_that_the_monitor_does_not_show_is_named_since_nobody_can_be_seen_there(self) -> None:
        poller = divera(source="monitor", at_least=[{"statuses": ["7", "8"], "count": 9}])
        (problem,) = read(poller, pull({"7": entry(3)})).problems
        assert text_of(problem) == (
            "divera: 3 people on 7 and 8, minimum 9; the monitor in Divera does not "
            "show 8, so nobody is counted there"
        )


class TestHideBelow:
    def numbers(self, reading: Reading) -> tuple[object, object]:
        return facts(reading)["total"], facts(reading)["counts"]

    def test_small_counts_are_null_the_total_is_null_and_the_file_says_why(self) -> None:
        poller = divera(hide_below=3, status_names={"1": "Bereit", "2": "Urlaub"})
        reading = read(poller, users(*[1] * 9, *[2] * 4, 3))
        assert self.numbers(reading) == (None, {"1": 9, "2": None, "3": None})
        assert facts(reading)["hide_below"] == 3
        assert facts(reading)["names"] == {"1": "Bereit", "2": "Urlaub"}

    def test_the_total_is_null_even_where_nothing_is_hidden(self) -> None:
        assert self.numbers(read(divera(hide_below=3), users(1, 1, 1))) == (None, {"1": 3})

    def test_where_nothing_may_be_shown_no_status_is_named_either(self) -> None:
        poller = divera(
            source="monitor", hide_below=3, qualifications=True, status_names={"1": "Bereit", "2": "Urlaub"}
        )
        reading = read(poller, pull({"1": entry(9, q2=4), "2": entry(1), "3": entry(0)}))
        assert facts(reading) == {
            "source": "monitor",
            "total": None,
            "counts": {},
            "names": {},
            "hide_below": 3,
            "qualifications": {},
        }

    def test_qualifications_are_hidden_with_their_status(self) -> None:
        poller = divera(source="monitor", hide_below=3, qualifications=True)
        monitor = {"1": entry(12, q2=5, q7=1), "2": entry(9, q2=4), "3": entry(4, q2=4), "4": entry(1, q9=1)}
        assert facts(read(poller, pull(monitor)))["qualifications"] == {
            "1": {"2": 5, "7": None},
            "2": {"2": 4, "7": None},
            "3": None,
            "4": None,
        }

    @pytest.mark.parametrize("people", [0, 1, 2, 5])
    def test_a_warning_looks_at_the_true_numbers_and_tells_none(self, people: int) -> None:
        poller = divera(hide_below=3, at_least=[{"statuses": ["1"], "count": 6}])
        (problem,) = read(poller, users(*[1] * people, *[2] * 7)).problems
        assert text_of(problem) == "divera: fewer than 6 people on 1"

    def test_enough_hidden_people_are_no_problem(self) -> None:
        poller = divera(hide_below=3, at_least=[{"statuses": ["1", "2"], "count": 3}])
        assert read(poller, users(1, 2, 2, 3, 3, 3, 3)).problems == ()


class TestProbe:
    def found(self, poller: DiveraPoller, *answers: Reply | Exception) -> tuple[Found, ...]:
        http = FakeHttp(*answers)
        found = poller.probe(toolbox(http))
        assert len(http.calls) == len(answers)
        return found

    def test_it_finds_ids_names_and_counts(self) -> None:
        answers = json_answer(users(50101, 50101, None)), json_answer(pull(statuses=STATUSES))
        assert self.found(divera(status_names={"none": "Ohne"}), *answers) == (
            Found("50101", "Einsatzbereit", 2),
            Found("none", "Ohne", 1),
        )

    def test_names_that_cannot_be_had_are_missing(self) -> None:
        assert self.found(divera(), json_answer(users(7)), timeout()) == (Found("7", None, 1),)

    def test_names_that_the_config_asks_for_must_be_had(self) -> None:
        with pytest.raises(SourceError, match="timed out"):
            self.found(divera(fetch_status_names=True), json_answer(users(7)), timeout())

    def test_an_address_without_names_beside_it_is_asked_once(self) -> None:
        poller = divera(url="https://proxy.example/people")
        assert self.found(poller, json_answer(users(7))) == (Found("7", None, 1),)

    def test_the_monitor_is_asked_once(self) -> None:
        content = pull({"7": entry(4)}, statuses={"7": {"name": "Urlaub"}})
        assert self.found(divera(source="monitor"), json_answer(content)) == (Found("7", "Urlaub", 4),)

    def test_people_without_a_status_have_no_name_of_divera_s(self) -> None:
        found = self.found(divera(), json_answer(users(None)), json_answer(pull(statuses=STATUSES)))
        assert found == (Found("none", "no status", 1),)
        assert DiveraPoller.learned(found) == {"status_names": {}}
        assert DiveraPoller.learned([Found("none", "Ohne Angabe", 1)]) == {
            "status_names": {"none": "Ohne Angabe"}
        }

    def test_vehicles_are_found_and_are_no_names_of_statuses(self) -> None:
        content = pull({"7": entry(4)}, vehicles={"501": vehicle(2), "502": vehicle(7)})
        found = self.found(divera(source="monitor", vehicles=True), json_answer(content))
        assert found == (
            Found("7", None, 4),
            Found("vehicles 2", "ready, at the station", 1),
            Found("vehicles 7", None, 1),
        )
        assert DiveraPoller.learned(found) == {"status_names": {}}

    def test_vehicles_that_this_key_may_not_see_are_said_to_be_missing(self) -> None:
        (_, missing) = self.found(divera(source="monitor", vehicles=True), json_answer(pull({"7": entry(4)})))
        assert missing == Found("vehicles", "this key may not see them", None, is_fine=False)

    def test_hidden_counts_are_not_found_but_their_ids_are(self) -> None:
        found = self.found(divera(hide_below=3), json_answer(users(1, 2, 2, 2)), timeout())
        assert found == (Found("1", None, None), Found("2", None, None))

    def test_a_failure_is_a_failure(self) -> None:
        with pytest.raises(SourceError, match="without JSON"):
            self.found(divera(), answer(b""))
