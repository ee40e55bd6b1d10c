"""`tallyd once`, `files` and `replay` of visitors, as commands: what they print, do and leave."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from support.gates import Gates
from tallyd.adapters.inbox import Folder
from tallyd.cli.config.found import ask_source, sources_of
from tallyd.config.load import load
from tallyd.core.errors import SourceError


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    """A park with three files: two fine ones, and one that is refused."""
    gates = Gates(tmp_path)
    gates.drop("12", "in", "in", "out", name="a.json")
    gates.drop("23", "in", name="b.json")
    gates.write("23", b'[{"ID": true}]', name="bad.json")
    return gates


def test_once_takes_what_waits_and_reports_it(gates: Gates) -> None:
    done = gates.tallyd("once", "visitors")
    assert done.returncode == 0, done.stderr
    sweep, report = json.loads(done.stdout)
    assert sweep["job"] == "sweep"
    assert {name: count for name, count in sweep["files"].items() if count} == {"done": 2, "rejected": 1}
    assert sweep["records"] == 4
    assert report["counts"] == {"in": 3, "out": 1, "inside": 2, "other": 0, "balance": 2, "corrected": 0}
    assert report["report"]["state"] == "off"
    assert gates.waiting() == []
    assert [each["counts"]["in"] for each in gates.out()] == [3]


def test_once_again_counts_nothing_twice(gates: Gates) -> None:
    gates.tallyd("once", "visitors")
    gates.tallyd("replay", "--all")
    gates.drop("12", "out")
    sweep, report = json.loads(gates.tallyd("once", "visitors").stdout)
    assert {name: count for name, count in sweep["files"].items() if count} == {"done": 1, "rejected": 1}
    assert report["counts"]["in"] == 3


def test_a_dry_run_shows_what_it_would_do_and_changes_nothing(gates: Gates) -> None:
    before = sorted(path for path in gates.folder.rglob("*"))
    done = gates.tallyd("once", "visitors", "--dry-run")
    assert done.returncode == 0, done.stderr
    sweep, report = json.loads(done.stdout)
    assert sweep["files"]["done"] == 2
    assert report["counts"]["inside"] == 2
    assert "nothing was written, moved or sent" in done.stderr
    assert sorted(path for path in gates.folder.rglob("*")) == before


def test_a_dry_run_beside_what_was_stored_adds_to_it(gates: Gates) -> None:
    gates.tallyd("once", "visitors")
    gates.drop("12", "in")
    _, report = json.loads(gates.tallyd("once", "visitors", "--dry-run").stdout)
    assert report["counts"]["in"] == 4
    _, report = json.loads(gates.tallyd("once", "visitors").stdout)
    assert report["counts"]["in"] == 4, "and once for real it is no more"


def test_files_lists_the_ledger_newest_first(gates: Gates) -> None:
    gates.tallyd("once", "visitors", "--job", "sweep")
    rows = json.loads(gates.tallyd("files", "--json").stdout)
    assert {(row["source"], row["name"], row["state"]) for row in rows} == {
        ("12", "12/a.json", "done"),
        ("23", "23/b.json", "done"),
        ("23", "23/bad.json", "rejected"),
    }
    table = gates.tallyd("files").stdout
    assert "visitors: 3 files" in table
    assert '"ID" is not a whole number' in table


def test_a_rejected_file_is_shown_moved_back_and_ingested_after_a_fix(gates: Gates) -> None:
    gates.tallyd("once", "visitors", "--job", "sweep")
    (lying,) = json.loads(gates.tallyd("files", "--rejected", "--json").stdout)
    assert (lying["name"], lying["source"]) == ("23/bad.json", "23")
    put_back = gates.tallyd("replay", "23/bad.json")
    said, advised = put_back.stdout.split("; to ingest them: ")
    assert said == f"visitors: 1 file moved back to {gates.inbox}"
    assert shlex.split(advised)[1:] == ["once", "visitors"], "run in the folder of the config"
    assert gates.waiting() == ["bad.json"]
    assert json.loads(gates.tallyd("files", "--rejected", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        pytest.param(["replay"], 2, "name the files", id="nothing named"),
        pytest.param(["replay", "--all", "x"], 2, "name the files", id="all and one"),
        pytest.param(["replay", "23/nonesuch.json"], 1, "write SOURCE/NAME, as", id="unknown file"),
        pytest.param(["files", "--poller", "visitor"], 2, 'did you mean "visitors"', id="misspelt poller"),
        pytest.param(["replay", "--all", "--poller", "x"], 2, "these do: visitors", id="unknown poller"),
    ],
)
def test_what_makes_no_sense_is_rejected_and_changes_nothing(
    gates: Gates, arguments: list[str], status: int, said: str
) -> None:
    gates.tallyd("once", "visitors", "--job", "sweep")
    done = gates.tallyd(*arguments)
    assert (done.returncode, said in done.stderr) == (status, True), done.stderr
    assert len(json.loads(gates.tallyd("files", "--rejected", "--json").stdout)) == 1


def test_files_before_the_first_one_says_so(tmp_path: Path) -> None:
    gates = Gates(tmp_path)
    done = gates.tallyd("files")
    assert done.returncode == 1
    assert "no file was ingested yet" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_without_a_poller_that_takes_files_that_is_said(tmp_path: Path) -> None:
    gates = Gates(tmp_path)
    gates.config.write_text('{"pollers": {}}')
    done = gates.tallyd("files")
    assert (done.returncode, done.stderr) == (2, "tallyd: no poller in the config ingests files\n")


def test_an_inbox_that_another_daemon_holds_is_left_alone(gates: Gates) -> None:
    other = Folder(gates.inbox, own_source="other")
    other.take_lock()
    try:
        done = gates.tallyd("once", "visitors")
    finally:
        other.close()
    assert done.returncode == 1
    assert "is the inbox of another tallyd" in done.stderr
    assert json.loads(done.stdout)[0]["files"]["done"] == 0
    assert gates.waiting() == ["a.json", "b.json", "bad.json"]


def test_check_online_looks_into_the_inbox_and_changes_nothing(gates: Gates) -> None:
    before = sorted(gates.folder.rglob("*"))
    done = gates.tallyd("check", "--online")
    assert done.returncode == 0, done.stderr
    assert "visitors: the source answers" in done.stdout
    assert "status_names" not in done.stdout
    assert sorted(gates.folder.rglob("*")) == before


def test_once_ends_with_1_where_the_database_cannot_be_used(gates: Gates) -> None:
    (gates.folder / "state").mkdir()
    (gates.folder / "state" / "records.db").mkdir()
    done = gates.tallyd("once", "visitors", "--job", "sweep")
    assert done.returncode == 1
    assert "visitors: sweep: files wait in the inbox: SQLite" in done.stderr
    assert gates.waiting() == ["a.json", "b.json", "bad.json"]


def test_check_is_fine_with_an_inbox_that_is_still_to_be_made(tmp_path: Path) -> None:
    done = Gates(tmp_path).tallyd("check", "--online")
    assert done.returncode == 0, done.stderr
    assert f"visitors: {tmp_path}/inbox does not exist yet; tallyd creates it when it starts" in done.stdout
    assert not (tmp_path / "inbox").exists()


def test_a_source_whose_inbox_is_not_a_folder_does_not_answer(tmp_path: Path) -> None:
    gates = Gates(tmp_path)
    (tmp_path / "inbox").touch()
    found = load(gates.config, environ={})
    (task,) = sources_of(found)
    with pytest.raises(SourceError, match="inbox is not a folder"):
        ask_source(found, task)


def test_a_centre_lists_what_other_hosts_ingested_and_sends_to_them_for_rejected_files(gates: Gates) -> None:
    gates.tallyd("once", "visitors")
    content = json.loads(gates.config.read_text())
    content["pollers"]["visitors"] = {"kind": "visitors"}
    gates.config.write_text(json.dumps(content))
    rows = json.loads(gates.tallyd("files", "--json").stdout)
    assert sorted(row["name"] for row in rows) == ["12/a.json", "23/b.json", "23/bad.json"]
    for words in (("files", "--rejected"), ("replay", "--all")):
        done = gates.tallyd(*words)
        assert done.returncode == 2
        assert "rejected files stay on the hosts that ingest them; run this command there" in done.stderr
    once = gates.tallyd("once", "visitors")
    assert once.returncode == 0, once.stderr
    sources = json.loads(once.stdout)["sources"]
    assert {source: each["state"] for source, each in sources.items()} == {"12": "done", "23": "rejected"}
