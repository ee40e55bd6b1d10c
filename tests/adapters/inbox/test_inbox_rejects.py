"""Rejected files: listed with their reasons, and replayed. Old files are deleted."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.inbox.dropping import NOON, Site, names
from tallyd.core.errors import InboxError
from tallyd.core.reading import Json


def _rejected(site: Site, *files: str, reason: Callable[[str], dict[str, Json]] = lambda _: {}) -> None:
    for name in files:
        site.drop(name, os.fsencode(name))
        (waiting,) = site.folder.look().waiting
        site.read(waiting)
        site.folder.rejected(waiting, reason(name))


def test_rejected_files_are_listed_newest_first_with_their_reasons(site: Site) -> None:
    assert site.folder.rejected_files() == ()
    _rejected(site, "12/a.json", "24/b.json", "c.json", reason=lambda name: {"of": name})
    for number, path in enumerate(["24/b.json", "hall/c.json", "12/a.json"]):
        reason = site.path / ".tallyd/rejected" / f"{path}.reason.json"
        os.utime(reason, (1_000_000 - number, 1_000_000 - number))
    found = site.folder.rejected_files()
    assert [(one.name, one.source, one.reason) for one in found] == [
        ("24/b.json", "24", {"of": "24/b.json"}),
        ("hall/c.json", "hall", {"of": "c.json"}),
        ("12/a.json", "12", {"of": "12/a.json"}),
    ]
    assert found[0].rejected_at == datetime.fromtimestamp(1_000_000, UTC)
    assert found[0].size == 9
    assert site.folder.rejected_files(most=1) == found[:1]


@pytest.mark.parametrize("reason", [None, b"", b"{", b"[" * 100_000, b"[]", b"\xff"])
def test_an_unreadable_reason_is_none(reason: bytes | None, site: Site) -> None:
    _rejected(site, "a.json")
    path = site.path / ".tallyd/rejected/hall/a.json.reason.json"
    path.unlink()
    if reason is not None:
        path.write_bytes(reason)
    (found,) = site.folder.rejected_files()
    assert found.reason is None


def test_other_things_among_the_rejected_files_are_skipped(site: Site, tmp_path: Path) -> None:
    _rejected(site, "a.json")
    rejected = site.path / ".tallyd/rejected"
    (rejected / "a file").write_text("")
    (rejected / "linked").symlink_to(tmp_path)
    (rejected / "hall/link.json").symlink_to("/etc/passwd")
    (rejected / "hall/folder.json").mkdir()
    (rejected / "hall/.b.json.tmp").write_text("")
    (rejected / "hall/orphan.json.reason.json").write_text("{}")
    assert [one.name for one in site.folder.rejected_files()] == ["hall/a.json"]
    assert site.folder.replay("all") == ("hall/a.json",)


def test_replay_moves_files_back_to_the_folders_of_their_sources(site: Site) -> None:
    _rejected(site, "12/a.json", "12/day/b.json", "c.json", "24/d.json")
    (site.path / "24").rmdir()
    assert site.folder.replay("all") == ("12/a.json", "12/day__b.json", "24/d.json", "hall/c.json")
    look = site.folder.look()
    assert sorted(names(look)) == ["12/a.json", "12/day__b.json", "24/d.json", "c.json"]
    assert {one.source for one in look.waiting} == {"12", "24", "hall"}
    assert site.quarantined("rejected") == {}


def test_replay_takes_those_named_or_those_of_one_source(site: Site) -> None:
    _rejected(site, "12/a.json", "24/a.json", "24/b.json")
    assert site.folder.replay(["24/b.json"]) == ("24/b.json",)
    assert site.folder.replay("all", source="12") == ("12/a.json",)
    assert site.folder.replay("all", source="none") == ()
    assert [one.name for one in site.folder.rejected_files()] == ["24/a.json"]


def test_replay_of_what_is_not_there_moves_nothing(site: Site) -> None:
    _rejected(site, "12/a.json")
    with pytest.raises(InboxError, match=r"not among the rejected files: 12/b\.json"):
        site.folder.replay(["12/a.json", "12/b.json"])
    with pytest.raises(InboxError, match=r"did you mean 12/a\.json\?"):
        site.folder.replay([".tallyd/rejected/12/a.json"])
    with pytest.raises(InboxError, match="not among"):
        site.folder.replay(["../../etc/passwd"])
    with pytest.raises(InboxError, match=r"did you mean 12/a\.json\?"):
        site.folder.replay([".tallyd/rejected/12/a.json"])
    with pytest.raises(InboxError, match="not among"):
        site.folder.replay(["12/a.json"], source="24")
    assert len(site.folder.rejected_files()) == 1


def test_replay_overwrites_nothing(site: Site) -> None:
    _rejected(site, "12/a.json")
    site.drop("12/a.json", b"newer")
    site.folder.replay("all")
    assert (site.path / "12/a.json").read_bytes() == b"newer"
    assert (site.path / "12/a-2.json").read_bytes() == b"12/a.json"


def test_replay_follows_no_link(site: Site, tmp_path: Path) -> None:
    _rejected(site, "12/a.json")
    (site.path / "12").rmdir()
    (site.path / "12").symlink_to(tmp_path)
    with pytest.raises(InboxError):
        site.folder.replay("all")
    assert len(site.folder.rejected_files()) == 1
    assert not (tmp_path / "a.json").exists()


def test_replay_needs_the_folder_of_a_source_whose_name_is_not_text(site: Site) -> None:
    odd = os.fsdecode(b"g\xff")
    _rejected(site, f"{odd}/a.json")
    (site.path / odd).rmdir()
    with pytest.raises(InboxError, match="create it again"):
        site.folder.replay("all")
    (site.path / odd).mkdir()
    assert site.folder.replay("all") == ("g\\xff/a.json",)
    assert (site.path / odd / "a.json").exists()


def test_prune_deletes_done_files_by_their_day(site: Site) -> None:
    for day in ("2026-11-12", "2026-11-13", "2026-11-14", "2026-1-1", "mine"):
        site.path.joinpath(".tallyd/done", day, "12").mkdir(parents=True)
        site.path.joinpath(".tallyd/done", day, "12/a.json").write_text("")
    assert _prune(site) == 2
    assert {path.split("/")[0] for path in site.quarantined("done")} == {"2026-11-14", "2026-1-1", "mine"}
    assert not (site.path / ".tallyd/done/2026-11-12").exists()
    assert _prune(site) == 0


def test_prune_goes_in_small_batches(site: Site) -> None:
    folder = site.path / ".tallyd/done/2026-11-01/12"
    folder.mkdir(parents=True)
    for number in range(25):
        (folder / f"{number}.json").write_text("")
    assert [_prune(site, most=10) for _ in range(4)] == [10, 10, 5, 0]
    assert list((site.path / ".tallyd/done").iterdir()) == []


def test_prune_follows_no_link(site: Site, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("")
    (site.path / ".tallyd/done/2026-11-02").mkdir(parents=True)
    (site.path / ".tallyd/done/2026-11-01").symlink_to(tmp_path)
    (site.path / ".tallyd/done/2026-11-02/12").symlink_to(tmp_path)
    _prune(site)
    assert (tmp_path / "precious").exists()


def test_prune_deletes_rejected_files_with_their_reasons_by_when_they_were_rejected(site: Site) -> None:
    _rejected(site, "12/a.json", "12/b.json")
    rejected = site.path / ".tallyd/rejected/12"
    (rejected / "orphan.json.reason.json").write_text("{}")
    old = (NOON - timedelta(days=31)).timestamp()
    for name in ("a.json.reason.json", "b.json"):
        os.utime(rejected / name, (old, old))
    (site.path / ".tallyd/going").mkdir()
    (site.path / ".tallyd/going/x.json").write_text("")
    assert _prune(site) == 1, "a file keeps the time of change that it came with"
    assert list(site.quarantined("rejected", "12")) == [
        "b.json",
        "b.json.reason.json",
        "orphan.json.reason.json",
    ]
    later = datetime.now(UTC) + timedelta(days=1)
    assert site.folder.prune(done_before=date(2000, 1, 1), rejected_before=later, most=100) == 3
    assert site.quarantined() == {}


def test_prune_creates_nothing_and_fails_if_the_inbox_is_missing(site: Site) -> None:
    assert _prune(site) == 0
    assert list(site.path.iterdir()) == []
    site.path.rmdir()
    with pytest.raises(InboxError, match="is not there"):
        _prune(site)


def _prune(site: Site, *, most: int = 100) -> int:
    return site.folder.prune(
        done_before=date(2026, 11, 14), rejected_before=NOON - timedelta(days=30), most=most
    )
