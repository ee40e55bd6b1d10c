"""The sweep on a real inbox and SQLite: what is taken, what is refused and how, what is left for later."""

from __future__ import annotations

import json
import logging
import os
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.records.sites import Site
from support.sweeping import Park, passages, record, settings_of
from tallyd.contract.passages import Count
from tallyd.pollers.visitors.ingest import file_parser
from tallyd.pollers.visitors.ingest.ingest import MOST_FILES

MINUTES = "2026-11-20 11:59:07"


@pytest.fixture
def park(tmp_path: Path, sqlite_site: Site) -> Park:
    return Park(tmp_path, sqlite_site.records())


def test_files_are_stored_counted_and_put_aside_by_source(park: Park) -> None:
    park.drop("12/a.json", passages("125907", "125908"))
    park.drop("12/day/b.json", passages("125907", way=1))
    park.drop("c.json", passages("125900", way=2))
    reading = park.run()
    assert park.files(reading) == {"done": 3}
    assert reading.summary is not None
    assert (reading.summary["records"], reading.facts) == (4, None)
    assert park.counted() == {
        "12": Count(2, 1, 0, MINUTES, "2026-11-20 11:59:08"),
        "hall": Count(0, 0, 1, "2026-11-20 11:59:00", "2026-11-20 11:59:00"),
    }
    assert sorted(park.quarantined("done", "2026-11-20")) == ["12/a.json", "12/day__b.json", "hall/c.json"]
    assert park.site.folder.look().waiting == ()
    assert [row.state for row in park.records.ledger(rejected=False, most=9)] == ["done"] * 3


def test_an_empty_list_is_a_sign_of_life_and_leaves_no_row(park: Park) -> None:
    park.drop("12/a.json", b"[]")
    park.drop("12/b.json", b"\xef\xbb\xbf [ ]\n")
    assert park.files(park.run()) == {"empty": 2}
    assert sorted(park.quarantined("done")) == ["2026-11-20/12/a.json", "2026-11-20/12/b.json"]
    assert park.records.ledger(rejected=False, most=9) == ()


def test_the_same_content_again_is_known_whatever_its_name_and_day(
    park: Park, caplog: pytest.LogCaptureFixture
) -> None:
    park.drop("12/a.json", passages("125907"))
    park.drop("12/b.json", passages("125907"))
    park.drop("23/a.json", passages("125907"))
    with caplog.at_level(logging.INFO, "tallyd"):
        assert park.files(park.run()) == {"done": 2, "repeat": 1}
    assert [one.__dict__["file"] for one in caplog.records if one.msg == "file already ingested"] == [
        "12/b.json"
    ]
    park.clocks.forward(3 * 86400)
    park.drop("12/c.json", passages("125907"))
    assert park.files(park.run()) == {"repeat": 1}
    assert park.n_in() == 2
    assert "2026-11-23/12/c.json" in park.quarantined("done")


def test_done_files_can_be_deleted(park: Park) -> None:
    park.settings = settings_of(after="delete")
    path = park.drop("12/a.json", passages("125907"))
    bad = park.drop("12/b.json", b"{}")
    park.run()
    assert not path.exists()
    assert not bad.exists()
    assert sorted(park.quarantined()) == ["rejected/12/b.json", "rejected/12/b.json.reason.json"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"12/" + b"x" * 250 + b".json", id="255 bytes"),
        pytest.param(b"12/a\nb\x1b[31m.json", id="a line break and a control character"),
        pytest.param(b"12/\xff\xfe.json", id="no UTF-8"),
        pytest.param("12/Zürich \u202e.json".encode(), id="text that is turned around"),
        pytest.param(b"12/-rf *.json", id="what a shell would take"),
        pytest.param(b"1\n2/a.json", id="a source with a line break"),
    ],
)
@pytest.mark.parametrize("content", [passages("125907"), b"[7]"], ids=["good", "bad"])
def test_a_file_of_any_name_is_taken(name: bytes, content: bytes, park: Park) -> None:
    park.drop(name, content)
    found = park.files(park.run())
    assert found in ({"done": 1}, {"rejected": 1})
    assert (content == b"[7]") == (found == {"rejected": 1})
    assert park.site.folder.look().waiting == ()


BAD = [
    pytest.param(b'{"a": 1}', "is not a JSON list", id="a wrong root"),
    pytest.param(b"[{]", "is invalid JSON", id="broken"),
    pytest.param(b'[{"ID": 1', "ends in the middle of a record", id="truncated"),
    pytest.param(b"", "is empty", id="no byte"),
    pytest.param(b"[NaN]", "NaN or Infinity", id="NaN"),
    pytest.param(b'[{"ID": Infinity}]', "NaN or Infinity", id="Infinity"),
    pytest.param(b"[" + b"9" * 5000 + b"]", "a number that is too long", id="a huge number"),
    pytest.param(b'[{"ID": 1e999}]', "a number that is too large", id="a number past all floats"),
    pytest.param(json.dumps([record(ID=2**63)]).encode(), 'record 1: "ID" is not', id="past 2^63"),
    pytest.param(b"[" * 100_000, "is nested too deeply", id="deep"),
    pytest.param(b'[{"ID": 1, "ID": 1}]', "a key occurs twice", id="a key twice"),
    pytest.param(json.dumps([record(ID=True)]).encode(), 'record 1: "ID" is not', id="true"),
    pytest.param(json.dumps([record(inOut="0")]).encode(), 'record 1: "inOut" is not', id="a wrong type"),
    pytest.param(b'[{"ID": "\\ud800"}]', "half a character", id="a lone surrogate"),
    pytest.param(b'[{"ID": "\\u0000"}]', "a NUL character", id="NUL, escaped"),
    pytest.param(b'[{"ID": "\0"}]', "is invalid JSON", id="NUL"),
    pytest.param(b'[{"ID": "\xff"}]', "is not UTF-8", id="no UTF-8"),
    pytest.param("[]".encode("utf-16"), "is UTF-16", id="UTF-16"),
    pytest.param(
        json.dumps([record(time="20260329023000")]).encode(), "did not exist", id="a time that did not exist"
    ),
    pytest.param(
        json.dumps([record(time="20261120131001")]).encode(), "5 minutes ahead", id="a time ahead of now"
    ),
    pytest.param(json.dumps([record(time="secret")]).encode(), "does not match time_format", id="no time"),
]


@pytest.mark.parametrize(("content", "reason"), BAD)
def test_a_bad_file_is_rejected_with_a_row_and_a_reason_and_no_value(
    content: bytes, reason: str, park: Park, caplog: pytest.LogCaptureFixture
) -> None:
    park.drop("12/bad.json", content, age_s=90)
    park.drop("12/good.json", passages("125907"))
    assert park.files(park.run()) == {"done": 1, "rejected": 1}, "the other one is stored"
    assert park.n_in() == 1
    quarantined = park.quarantined("rejected", "12")
    assert quarantined["bad.json"] == content
    written = json.loads(quarantined["bad.json.reason.json"])
    assert reason in written["reason"]
    assert (written["size"], written["name"]) == (len(content), "12/bad.json")
    (row,) = park.records.ledger(rejected=True, most=9)
    assert (row.reason, row.sha256, row.records) == (written["reason"], written["sha256"], None)
    output = quarantined["bad.json.reason.json"].decode() + caplog.text
    assert "secret" not in output
    assert "Traceback" not in output
    assert [one.__dict__["reason"] for one in caplog.records if one.msg == "file rejected"] == [row.reason]


def test_a_reason_names_records_and_rules(park: Park) -> None:
    park.drop("12/a.json", json.dumps([record(), 7, record(ID="x"), 8]).encode())
    park.run()
    written = json.loads(park.quarantined("rejected", "12")["a.json.reason.json"])
    assert written["records"] == [
        {"rule": "is not an object", "records": [2, 4], "count": 2},
        {"rule": '"ID" is not a whole number from 0 to 2^63 - 1', "records": [3], "count": 1},
    ]


def test_records_that_cannot_be_taken_may_be_left_out(park: Park, caplog: pytest.LogCaptureFixture) -> None:
    park.settings = settings_of(on_bad_record="skip-record")
    park.drop("12/a.json", json.dumps([record(), 7, record(time="x")]).encode())
    park.drop("12/b.json", b"[{]")
    reading = park.run()
    assert park.files(reading) == {"done": 1, "rejected": 1}
    assert reading.summary is not None
    assert (reading.summary["records"], reading.summary["skipped"]) == (1, 2)
    assert [one.__dict__["records"] for one in caplog.records if one.msg == "records skipped"] == [2]


def test_unknown_fields_and_a_byte_order_mark_are_fine(park: Park) -> None:
    park.drop("12/a.json", b"\xef\xbb\xbf" + json.dumps([record(outputTime="x", x=[{}])]).encode())
    assert park.files(park.run()) == {"done": 1}


def test_what_is_too_old_to_tell_from_a_repeat_is_rejected_unless_it_is_known(park: Park) -> None:
    park.drop("12/a.json", passages("125907"))
    park.run()
    park.clocks.forward(90 * 86400 - 53)
    park.drop("12/b.json", passages("125906"))
    park.drop("12/c.json", passages("125907"))
    reading = park.run()
    assert park.files(reading) == {"repeat": 1, "rejected": 1}
    assert reading.summary is not None
    assert "cannot tell whether it was counted before" in str(reading.summary["refused"])
    park.keep_days = 100
    park.site.folder.replay("all")
    assert park.files(park.run()) == {"done": 1}


def test_a_file_that_is_too_large_is_rejected_without_being_read(park: Park) -> None:
    park.settings = settings_of(max_bytes=100)
    path = park.drop("12/a.json", b"[" + b" " * 100 + b"]")
    path.chmod(0)
    reading = park.run()
    assert park.files(reading) == {"rejected": 1}
    assert "is larger than max_bytes (100): 102 bytes" in str(reading.summary)
    (row,) = park.records.ledger(rejected=True, most=9)
    assert row.state == "rejected"
    assert "a.json.reason.json" in park.quarantined("rejected", "12")


def test_a_file_cut_short_is_left_to_its_writer_for_a_minute_and_read_once(park: Park) -> None:
    whole = passages("125907", "125908")
    path = park.drop("12/a.json", whole[:40], age_s=10)
    path.chmod(0o600)
    reads = park.progress
    assert park.files(park.run()) == {"unsettled": 1}
    assert len(reads) == 1
    park.clocks.forward(20)
    assert park.files(park.run()) == {"unsettled": 1}
    assert len(reads) == 1, "it is the same as before"
    path.write_bytes(whole)
    park.site.age(path, 5)
    assert park.files(park.run()) == {"done": 1}
    assert park.n_in() == 2


def test_a_file_that_stays_cut_short_is_rejected_after_a_minute(park: Park) -> None:
    park.drop("12/a.json", b"[{", age_s=10)
    assert park.files(park.run()) == {"unsettled": 1}
    park.clocks.forward(49)
    assert park.files(park.run()) == {"unsettled": 1}
    park.clocks.forward(1)
    assert park.files(park.run()) == {"rejected": 1}


def test_one_cut_short_whose_time_makes_no_sense_is_left_for_a_minute_as_well(park: Park) -> None:
    path = park.drop("12/a.json", b"[{")
    os.utime(path, (park.clocks.at.timestamp() + 7200,) * 2)
    for forward_s, found in ((2, {"unsettled": 1}), (59, {"unsettled": 1}), (2, {"rejected": 1})):
        park.run()
        park.clocks.forward(forward_s)
        assert park.files(park.run()) == found


def test_minute_counts_alone_are_stored_where_rows_are_not_kept(park: Park) -> None:
    park.keep_days = 0
    park.drop("12/a.json", passages("125907"))
    park.drop("12/old.json", json.dumps([record(time="20260801120000")]).encode())
    assert park.files(park.run()) == {"done": 1, "rejected": 1}, "older than 90 days"
    assert park.n_in() == 1
    assert park.records.prune(park.clocks.at + timedelta(days=9), most=99) == 3, (
        "two rows of the ledger, and when a file came"
    )


def test_where_more_wait_than_are_offered_it_is_woken_at_once(park: Park) -> None:
    park.site.folder = park.site.again(most=3)
    for number in range(7):
        park.drop(f"12/{number}.json", passages(f"12590{number}"), age_s=100 - number)
    reading = park.run()
    assert (park.files(reading), park.wakes) == ({"done": 3, "waiting": 4}, 1)
    assert sorted(park.quarantined("done")) == [f"2026-11-20/12/{number}.json" for number in range(3)], (
        "the oldest"
    )
    park.run()
    assert park.wakes == 2
    assert park.files(park.run()) == {"done": 1}
    assert (park.wakes, park.n_in()) == (2, 7)


def test_progress_is_shown_in_bytes_up_to_all_of_them(park: Park) -> None:
    sizes = [len(park.drop(f"12/{n}.json", passages(f"12590{n}")).read_bytes()) for n in range(3)]
    park.run()
    assert park.progress[-1] == (sum(sizes), sum(sizes))
    assert park.progress == sorted(park.progress)


def test_many_files_are_stored_in_few_transactions(park: Park) -> None:
    for number in range(MOST_FILES + 5):
        park.drop(f"12/{number}.json", passages(f"12{number // 60 % 60:02}{number % 60:02}"))
    assert park.files(park.run()) == {"done": MOST_FILES + 5}
    assert park.n_in() == MOST_FILES + 5


def test_a_file_of_many_rows_is_read_twice_and_stored_alone(park: Park) -> None:
    count = file_parser.MOST_WEIGHT + 1
    row = json.dumps(record()).encode()
    park.site.folder = park.site.again(max_bytes=1 << 30)
    park.drop("12/a.json", passages("125900"), age_s=70)
    park.drop("12/big.json", b"[" + b",".join([row] * count) + b"]")
    park.drop("12/c.json", passages("125901"), age_s=50)
    reading = park.run()
    assert park.files(reading) == {"done": 3}
    assert park.n_in() == count + 2
    assert reading.summary is not None
    assert reading.summary["records"] == count + 2


def test_a_file_that_only_its_second_reading_refuses_is_rejected(
    park: Park, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one is called from deeper, which leaves less room for what is nested."""
    monkeypatch.setattr(file_parser, "LARGE_BYTES", 100)
    for depth in range(600, 1000, 4):
        nested = json.dumps(record(ID=depth))[:-1] + f', "more": {"[" * depth}{"]" * depth}}}'
        park.drop(f"12/{depth}.json", f"[{nested}]".encode())
    taken = park.files(park.run())
    assert set(taken) == {"done", "rejected"}
    assert list((park.site.path / "12").iterdir()) == []
    assert park.n_in() == taken["done"]


def test_a_sweep_without_files_writes_nothing(park: Park) -> None:
    park.run()
    before = park.writes
    for _ in range(5):
        park.clocks.forward(2)
        assert park.run().memory is None
    assert park.writes == before
