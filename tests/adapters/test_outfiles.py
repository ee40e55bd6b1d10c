"""Out files: written completely or not at all, never overwritten, deleted only by their own names."""

from __future__ import annotations

import json
import stat
from datetime import date
from pathlib import Path

import pytest

from tallyd.adapters.outfiles import OutError, OutFiles

NAME = "2026-11/2026-11-20T080000+0100.json"


@pytest.fixture(params=[True, False], ids=["durable", "not durable"])
def out(tmp_path: Path, request: pytest.FixtureRequest) -> OutFiles:
    return OutFiles(tmp_path / "out", is_durable=request.param)


def test_a_file_is_written_whole_with_its_folders_and_mode(out: OutFiles) -> None:
    assert out.write("divera", NAME, '{"a": "ü"}\n') == "written"
    path = out.root / "divera" / NAME
    assert path.read_text("utf-8") == '{"a": "ü"}\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_writing_the_same_again_is_fine_and_changes_nothing(out: OutFiles) -> None:
    out.write("divera", NAME, "{}\n")
    before = (out.root / "divera" / NAME).stat()
    assert out.write("divera", NAME, "{}\n") == "written"
    after = (out.root / "divera" / NAME).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("other", ["[]\n", "{}", "{} \n"], ids=["other content", "shorter", "longer"])
def test_a_name_that_is_taken_is_never_overwritten(other: str, out: OutFiles) -> None:
    (out.root / "divera" / "2026-11").mkdir(parents=True)
    (out.root / "divera" / NAME).write_text(other)
    assert out.write("divera", NAME, "{}\n") == "taken"
    assert (out.root / "divera" / NAME).read_text() == other


def test_a_link_under_the_name_is_taken_and_not_followed(out: OutFiles, tmp_path: Path) -> None:
    (out.root / "divera" / "2026-11").mkdir(parents=True)
    (tmp_path / "elsewhere").write_text("{}\n")
    (out.root / "divera" / NAME).symlink_to(tmp_path / "elsewhere")
    assert out.write("divera", NAME, "{}\n") == "taken"
    (tmp_path / "elsewhere").unlink()
    assert out.exists("divera", NAME), "a dangling link is a name that is taken too"


def test_what_cannot_be_written_names_folder_and_reason_and_leaves_nothing(out: OutFiles) -> None:
    out.root.mkdir()
    (out.root / "divera").write_text("a file where the folder should be")
    with pytest.raises(OutError) as caught:
        out.write("divera", NAME, "{}\n")
    assert str(out.root / "divera" / NAME) in str(caught.value)
    assert _names(out.root) == ["divera"]


def test_leftovers_of_a_killed_process_are_removed_and_nothing_else(out: OutFiles) -> None:
    out.write("divera", NAME, "{}\n")
    month = out.root / "divera" / "2026-11"
    (month / f".{Path(NAME).name}.tmp").write_text("{")
    (out.root / "divera" / ".latest.json.tmp").write_text("{")
    (month / f".{Path(NAME).name}.4711.tmp").write_text("{")
    (month / ".mine").write_text("kept")
    assert out.remove_leftovers() == 3
    assert _names(month) == [".mine", Path(NAME).name]


def test_a_leftover_that_cannot_be_removed_is_left_and_nobody_is_held_up(out: OutFiles) -> None:
    folder = out.root / "divera" / "2026-11" / f".{Path(NAME).name}.4711.tmp"
    folder.mkdir(parents=True)  # unlink refuses it, for root too
    assert out.remove_leftovers() == 0
    assert folder.is_dir()


def test_only_files_of_own_naming_are_deleted_and_only_older_ones(out: OutFiles) -> None:
    for name in ("2026-10/2026-10-31T235959+0100.json", "2026-11/2026-11-01T000000+0100-2.json"):
        out.write("divera", name, "{}\n")
    foreign = out.root / "divera" / "2026-10" / "notes.txt"
    foreign.write_text("mine")
    (out.root / "divera" / "2026-10" / "2026-09-01T000000+0100.json").write_text("wrong month: not ours")
    out.write_latest("divera", "{}\n")
    assert out.prune("divera", before=date(2026, 11, 1)) == 1
    left = sorted(str(path.relative_to(out.root)) for path in out.root.rglob("*") if path.is_file())
    assert left == [
        "divera/2026-10/2026-09-01T000000+0100.json",
        "divera/2026-10/notes.txt",
        "divera/2026-11/2026-11-01T000000+0100-2.json",
        "divera/latest.json",
    ]


def test_an_empty_month_goes_with_its_last_file(out: OutFiles) -> None:
    out.write("divera", NAME, "{}\n")
    assert out.prune("divera", before=date(2027, 1, 1)) == 1
    assert _names(out.root / "divera") == []


def test_contents_are_read_back_oldest_first_without_what_is_not_json(out: OutFiles) -> None:
    names = ["2026-10/2026-10-31T080000+0100.json", NAME]
    for name in reversed(names):
        out.write("divera", name, json.dumps({"name": name}))
    (out.root / "divera" / "2026-11" / "2026-11-21T080000+0100.json").write_text("{half")
    assert [(poller, name) for poller, name, _ in out.contents()] == [("divera", name) for name in names]


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
