"""Counts of Divera-StatusLogger become readings of their slots, once."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tallyd.adapters.state import JobRef, State
from tallyd.cli.actions.imports import Wanted, bring_data, print_config
from tallyd.config.load import load
from tallyd.config.model import Config
from tallyd.core.alerts.rules import Observations
from tallyd.core.schedule.timetable import Missed
from tallyd.core.stored import StoredReading
from tallyd.storage.recovery import open_state

Said = Callable[[], tuple[str, str]]
KEY = "canary-key-8f3a-of-before"
PROGRAM = "divera-status-logger"


class Logger:
    """Writes what the old program wrote: `statuses` are the `status_id` of each person in Divera's answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "out").mkdir(parents=True)
        self.configure(url="https://app.divera247.com/api/users?accesskey=", accesskey=KEY)

    def configure(self, **content: str) -> None:
        (self.folder / "config.json").write_text(json.dumps(content))

    def count(self, name: str, statuses: Sequence[int | None]) -> None:
        # A status that is None is a key of the dict, which JSON writes as "null".
        (self.folder / "out" / f"{name}.json").write_text(json.dumps(Counter(statuses)))

    def write(self, name: str, text: str) -> None:
        (self.folder / "out" / f"{name}.json").write_text(text)


@pytest.fixture
def logger(tmp_path: Path) -> Logger:
    return Logger(tmp_path / "old")


def configured(folder: Path, **poller: Any) -> Path:
    path = folder / "config.json"
    settings = {"kind": "divera", "accesskey": KEY, "at": ["08:00", "12:00"], **poller}
    path.write_text(json.dumps({"timezone": "Europe/Berlin", "pollers": {"divera": settings}}))
    return path


def imported(path: Path, logger: Logger, *, dry_run: bool = False) -> int:
    return bring_data(path, Wanted(program=PROGRAM, old=str(logger.folder), dry_run=dry_run))


def stored(path: Path) -> tuple[StoredReading, ...]:
    with closing(State(loaded(path).state_at)) as state:
        return state.readings.history()


def loaded(path: Path) -> Config:
    return load(path, environ={})


def out_files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.glob("out/**/*.json")}


def test_counts_become_readings_of_their_slots(tmp_path: Path, logger: Logger, said: Said) -> None:
    logger.count("28-10-2024_08", [50101, 50101, 50102, None, 0])
    logger.count("29-10-2024_12", [50101])
    path = configured(tmp_path, status_names={"50101": "Einsatzbereit"})
    assert imported(path, logger) == 0
    assert said()[0] == "divera: imported: 2 readings, 2024-10-28 to 2024-10-29"
    first, second = stored(path)
    assert first.body is not None
    assert first.due_at == datetime(2024, 10, 28, 7, 0, tzinfo=UTC)
    assert first.slot == "2024-10-28T08:00:00[Europe/Berlin]"
    assert first.body["counts"] == {"50101": 2, "50102": 1, "none": 2}
    assert (first.body["total"], first.body["origin"]) == (5, "imported")
    assert first.body["names"] == {"50101": "Einsatzbereit"}
    assert json.loads((tmp_path / "out/divera" / str(first.out_name)).read_text()) == first.body
    assert second.slot == "2024-10-29T12:00:00[Europe/Berlin]"


def test_a_second_time_adds_nothing_and_changes_no_file(tmp_path: Path, logger: Logger, said: Said) -> None:
    logger.count("28-10-2024_08", [50101])
    path = configured(tmp_path)
    imported(path, logger)
    before = stored(path), out_files(tmp_path)
    said()
    assert imported(path, logger) == 0
    assert said()[0] == "divera: imported: 0 readings there already, unchanged: 1 reading"
    assert (stored(path), out_files(tmp_path)) == before


def test_in_another_time_zone_no_file_comes_a_second_time(tmp_path: Path, logger: Logger, said: Said) -> None:
    logger.count("28-10-2024_08", [50101])
    path = configured(tmp_path)
    imported(path, logger)
    before = stored(path)
    path.write_text(path.read_text().replace("Europe/Berlin", "Asia/Taipei"))
    said()
    assert imported(path, logger) == 0
    assert said()[0] == "divera: imported: 0 readings there already, unchanged: 1 reading"
    assert stored(path) == before


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("28-10-2024_08", "28-10-2024_08:00"), id="two names of one time"),
        pytest.param(("29-03-2026_02", "29-03-2026_03"), id="a time that does not exist"),
    ],
)
def test_of_two_files_of_one_slot_the_first_one_comes(
    tmp_path: Path, logger: Logger, said: Said, names: Sequence[str]
) -> None:
    for people, name in enumerate(names, start=1):
        logger.count(name, [50101] * people)
    path = configured(tmp_path)
    for added in (1, 0):
        assert imported(path, logger) == 0
        assert said()[0].startswith(f"divera: imported: {added} reading")
        assert len(stored(path)) == len(out_files(tmp_path)) == 1


def test_a_file_of_an_impossible_year_is_none_of_its(tmp_path: Path, logger: Logger, said: Said) -> None:
    for name in ("01-01-0001_00", "31-12-9999_23", "28-10-2024_08"):
        logger.count(name, [50101])
    assert imported(configured(tmp_path), logger) == 0
    assert said()[0] == "divera: imported: 1 reading, 2024-10-28 to 2024-10-28"


def test_what_tallyd_counted_itself_stays_and_a_missed_slot_is_filled(
    tmp_path: Path, logger: Logger, said: Said
) -> None:
    logger.count("18-11-2026_08", [50101])
    logger.count("19-11-2026_08", [50101])
    path = configured(tmp_path)
    imported(path, logger)
    own = stored(path)[0].body
    logger.count("18-11-2026_08", [50102, 50102])
    logger.count("19-11-2026_12", [50102])
    slot, due_at = "2026-11-19T12:00:00[Europe/Berlin]", datetime(2026, 11, 19, 11, tzinfo=UTC)
    with closing(State(loaded(path).state_at)) as state:
        nothing = Observations(named=(), may_resolve=lambda _key: False, now=due_at)
        ref = JobRef(poller="divera", kind="divera", job="count")
        state.slots.miss(ref, (Missed(slot, due_at, "off", None),), now=due_at, observations=nothing)
    said()
    assert imported(path, logger) == 0
    assert said()[0].endswith(
        "imported: 1 reading, 2026-11-19 to 2026-11-19 there already, unchanged: 2 readings"
    )
    assert stored(path)[0].body == own
    assert [each.outcome for each in stored(path)] == ["taken"] * 3


def test_a_file_that_cannot_be_read_is_named_and_the_others_come(
    tmp_path: Path, logger: Logger, said: Said
) -> None:
    logger.count("01-11-2024_08", [50101])
    for number, text in enumerate(
        ["", "{}", "[1]", '{"50101": "Anna"}', '{"Anna": 1}', '{"50101": true}', '{"50101": -1}'], start=2
    ):
        logger.write(f"0{number}-11-2024_08", text)
    logger.write("31-02-2024_08", "the day does not exist")
    logger.write("notes", "not a count")
    path = configured(tmp_path)
    assert imported(path, logger) == 1
    out, err = said()
    assert out == "divera: imported: 1 reading, 2024-11-01 to 2024-11-01"
    assert err.startswith("not readable: 7: 02-11-2024_08.json (not JSON), 03-11-2024_08.json (no counts: ")
    assert err.endswith("and 2 more")
    assert "Anna" not in out + err
    assert len(stored(path)) == 1


def test_a_dry_run_says_the_same_and_leaves_no_trace(tmp_path: Path, logger: Logger, said: Said) -> None:
    logger.count("28-10-2024_08", [50101])
    path = configured(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert imported(path, logger, dry_run=True) == 0
    dry = said()[0]
    assert dry == "divera: dry run, would be imported: 1 reading, 2024-10-28 to 2024-10-28"
    assert sorted(tmp_path.rglob("*")) == before
    imported(path, logger)
    assert imported(path, logger, dry_run=True) == 0
    assert "dry run, would be imported: 0 readings" in said()[0]


def test_small_counts_are_hidden_before_anything_is_written(tmp_path: Path, logger: Logger) -> None:
    logger.count("28-10-2024_08", [50101] * 9 + [50102] * 2 + [None] * 7)
    path = configured(tmp_path, hide_below=5)
    imported(path, logger)
    (reading,) = stored(path)
    assert reading.body is not None
    assert reading.body["counts"] == {"50101": 9, "50102": None, "none": None}
    assert reading.body["total"] is None


def test_today_is_left_to_tallyd_and_what_is_not_kept_stays_away(
    tmp_path: Path, logger: Logger, said: Said
) -> None:
    logger.count("20-11-2026_08", [50101])
    logger.count("21-11-2026_08", [50101])
    logger.count("11-11-2026_00", [50101])
    logger.count("09-11-2026_20", [50101])
    path = configured(tmp_path, out={"keep_days": 10})
    assert imported(path, logger) == 0
    assert said()[0] == (
        "divera: imported: 1 reading, 2026-11-11 to 2026-11-11"
        " today, or counted by tallyd itself: 2 readings older than keep_days, left out: 1 reading"
    )


@pytest.mark.parametrize(
    ("name", "slot", "due_at"),
    [
        pytest.param(
            "31-03-2024_02", "2024-03-31T02:00:00", datetime(2024, 3, 31, 1, tzinfo=UTC), id="no time"
        ),
        pytest.param(
            "27-10-2024_02", "2024-10-27T02:00:00", datetime(2024, 10, 27, 0, tzinfo=UTC), id="twice"
        ),
        pytest.param(
            "01-07-2024_00", "2024-07-01T00:00:00", datetime(2024, 6, 30, 22, tzinfo=UTC), id="midnight"
        ),
        pytest.param(
            "01-07-2024_18:45", "2024-07-01T18:45:00", datetime(2024, 7, 1, 16, 45, tzinfo=UTC), id="minutes"
        ),
    ],
)
def test_the_slot_is_the_one_that_the_timetable_has(
    tmp_path: Path, logger: Logger, name: str, slot: str, due_at: datetime
) -> None:
    logger.count(name, [50101])
    path = configured(tmp_path)
    imported(path, logger)
    (reading,) = stored(path)
    assert (reading.slot, reading.due_at) == (f"{slot}[Europe/Berlin]", due_at)


def test_an_import_that_was_killed_goes_on_where_it_was(tmp_path: Path, logger: Logger) -> None:
    logger.count("28-10-2024_08", [50101])
    path = configured(tmp_path)
    imported(path, logger)
    before = out_files(tmp_path)
    shutil.rmtree(tmp_path / "state")  # the files are there, and the state does not know
    imported(path, logger)
    assert out_files(tmp_path) == before
    assert len(stored(path)) == 1


def test_a_file_of_the_same_name_is_never_replaced(tmp_path: Path, logger: Logger) -> None:
    logger.count("28-10-2024_08", [50101])
    path = configured(tmp_path)
    foreign = tmp_path / "out/divera/2024-10/2024-10-28T080000+0100.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine")
    imported(path, logger)
    assert foreign.read_text() == "mine"
    assert [each.out_name for each in stored(path)] == ["2024-10/2024-10-28T080000+0100-2.json"]


def test_a_lost_state_comes_back_with_what_was_imported(tmp_path: Path, logger: Logger) -> None:
    logger.count("28-10-2024_08", [50101])
    path = configured(tmp_path)
    imported(path, logger)
    before = stored(path)
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").mkdir()
    open_state(loaded(path), now=datetime(2026, 11, 20, 10, tzinfo=UTC)).close()
    assert [(each.slot, each.body) for each in stored(path)] == [(each.slot, each.body) for each in before]


def test_the_config_asks_at_the_hours_of_the_last_month(tmp_path: Path, logger: Logger, said: Said) -> None:
    logger.count("01-01-2020_04", [50101])
    logger.count("01-11-2026_07", [50101])
    logger.count("02-11-2026_19:30", [50101])
    path = tmp_path / "config.json"
    assert print_config(path, Wanted(program=PROGRAM, old=str(logger.folder))) == 0
    out, err = said()
    poller = json.loads(out)["pollers"]["divera"]
    assert poller == {"kind": "divera", "accesskey": "file:secrets/divera-key", "at": ["07:00", "19:30"]}
    assert KEY not in out + err
    assert 'put into secrets/divera-key beside the config: the value of "accesskey" in ' in err
    path.write_text(out)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/divera-key").write_text(KEY)
    assert list(loaded(path).settings.pollers) == ["divera"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(
            {"url": "https://divera.example/api/users?accesskey="},
            "https://divera.example/api/users",
            id="own address",
        ),
        pytest.param(
            {"url": f"https://app.divera247.com/api/users?accesskey={KEY}"}, None, id="key in the url"
        ),
        pytest.param(
            {"url": f"https://user:{KEY}@app.divera247.com/api/users"}, None, id="password in the url"
        ),
    ],
)
def test_the_address_never_keeps_a_key(
    tmp_path: Path, logger: Logger, said: Said, config: dict[str, str], expected: str | None
) -> None:
    logger.configure(**config)
    assert print_config(tmp_path / "config.json", Wanted(program=PROGRAM, old=str(logger.folder))) == 0
    out, err = said()
    poller = json.loads(out)["pollers"]["divera"]
    assert poller.get("url") == expected
    assert poller["at"] == ["00:00", "08:00", "12:00", "16:00", "20:00"]
    assert "has no access key of its own" in err
    assert KEY not in out + err


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("url = 1", "config.json is not JSON", id="no JSON"),
        pytest.param("[]", 'config.json has no "url"', id="a list"),
        pytest.param('{"url": "https://[x/"}', 'config.json: "url" is not a URL', id="no URL"),
        pytest.param(None, "config.json: no such file or directory", id="another folder"),
    ],
)
def test_a_folder_that_is_not_its_is_refused(
    tmp_path: Path, logger: Logger, said: Said, text: str | None, complaint: str
) -> None:
    file = logger.folder / "config.json"
    file.unlink() if text is None else file.write_text(text)
    assert print_config(tmp_path / "config.json", Wanted(program=PROGRAM, old=str(logger.folder))) == 1
    assert complaint in said()[1]
    shutil.rmtree(logger.folder / "out")
    assert imported(configured(tmp_path), logger) == 1
    assert "old/out: no such file or directory" in said()[1]
    assert not list(tmp_path.glob("out/**/*.json"))
