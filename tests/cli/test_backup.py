"""`tallyd backup` and `restore`: what is in the file, what it says, and that nothing is overwritten."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from adapters.records.samples import IN, visitor_file
from support.gates import Gates
from support.past import Past, write_config
from tallyd.adapters.archive import Archive
from tallyd.adapters.inbox import Folder
from tallyd.adapters.locks import FileLock
from tallyd.adapters.records.database import Database
from tallyd.adapters.state import State
from tallyd.cli.actions.backup import backup
from tallyd.cli.actions.restore import restore
from tallyd.config.active_file import write_active
from tallyd.config.load import load
from tallyd.contract.corrections import Correction
from tallyd.core.errors import EXIT_CONFIG, EXIT_OK, EXIT_PROBLEM, ConfigError
from tallyd.core.hosts import Host
from tallyd.core.reading import Json

Said = Callable[[], tuple[str, str]]
KEY, USER = "canary-key-8f3a", "florian-canary"
NOTHING = hashlib.sha256().hexdigest()
NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder with a past: counts, records of visitors, a mute, an acknowledgement and a correction."""
    folder = tmp_path / "old"
    folder.mkdir()
    write_config(folder, **{"//": f"call {USER}, 0171"})
    past = Past(folder)
    past.taken("2026-11-19T08:00:00", {"50101": 12})
    past.taken("2026-11-20T08:00:00", {"50101": 9})
    with closing(State(folder / "state" / "state.db")) as state:
        state.notifications.mute("divera/*", since=NOW, until=NOW, why="known", by=USER)
    with closing(Database(f"sqlite:///{folder / 'state' / 'records.db'}", prepares=True)) as database:
        records = database.records("park")
        records.ingest([visitor_file("a.json", IN)], now=NOW, keep_rows=True)
        records.correct(Correction(source="", at=NOW, inside=3, why="seen", by=USER, noted_at=NOW))
    return folder


def save(folder: Path, *, file: str = "x.zip", is_private: bool = False, with_out: bool = False) -> Path:
    """Make a backup of a folder."""
    path = folder.parent / file
    assert backup(folder / "config.json", str(path), is_private=is_private, with_out=with_out) == EXIT_OK
    return path


def members(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_backup_has_no_secret_and_no_name_unless_asked(old: Path, said: Said) -> None:
    found = members(save(old))
    assert list(found) == ["state.db", "records.db", "config.json", "manifest.json"]
    whole = b"".join(found.values())
    assert KEY.encode() not in whole
    assert USER.encode() not in whole
    assert "no secrets and no user names" in said()[1]
    whole = b"".join(members(save(old, file="y.zip", is_private=True)).values())
    assert KEY.encode() in whole
    assert whole.count(USER.encode()) == 3
    assert (old.parent / "y.zip").stat().st_mode & 0o777 == 0o600
    assert "keep it where only you can read it" in said()[1]


def test_restored_elsewhere_it_has_every_count_and_file(old: Path, tmp_path: Path, said: Said) -> None:
    new = tmp_path / "new"
    new.mkdir()
    assert restore(new / "config.json", str(save(old))) == EXIT_OK
    out, err = said()
    assert f"Written: {new / 'state' / 'state.db'}" in out
    assert f"Written: 2 out files in {new / 'out'}" in out
    assert "secrets/pollers-divera-accesskey is missing. Put only the secret into it" in err
    names = sorted(path.name for path in (new / "out").rglob("*.json"))
    assert names == ["2026-11-19T080000+0100.json", "2026-11-20T080000+0100.json", "latest.json"]
    assert json.loads((new / "out/divera/latest.json").read_text())["counts"] == {"50101": 9}
    with closing(Database(f"sqlite:///{new / 'state' / 'records.db'}")) as database:
        (correction,) = database.records("park").corrections(NOW, NOW.replace(hour=23))
        assert (correction.inside, correction.by) == (3, "")
    assert not list(new.rglob("*.restoring*")) + list(new.rglob("*-wal"))
    assert not [path for path in new.rglob("*") if path.stat().st_mode & 0o007], "others can read it"


def test_out_files_go_along_if_asked(old: Path, tmp_path: Path, said: Said) -> None:
    first = tmp_path / "first"
    first.mkdir()
    restore(first / "config.json", str(save(old, is_private=True)))
    file = save(first, file="with-out.zip", with_out=True)
    assert "2026-11-20T080000+0100.json" in " ".join(members(file))
    assert "3 out files" in said()[1]
    (tmp_path / "new" / "out" / "divera" / "2026-11").mkdir(parents=True)
    own = tmp_path / "new" / "out" / "divera" / "2026-11" / "2026-11-20T080000+0100.json"
    own.write_text("mine")
    assert restore(tmp_path / "new" / "config.json", str(file)) == EXIT_OK
    assert own.read_text() == "mine"
    kept = (tmp_path / "new" / "out" / "divera" / "latest.json").read_bytes()
    assert kept == (first / "out" / "divera" / "latest.json").read_bytes()


def test_nothing_is_overwritten(old: Path, said: Said) -> None:
    file = save(old)
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    assert backup(old / "config.json", str(file), is_private=False, with_out=False) == EXIT_PROBLEM
    assert "already exists; nothing was changed" in said()[1]
    shutil.rmtree(old / "out", ignore_errors=True)
    assert restore(old / "config.json", str(file)) == EXIT_PROBLEM
    out, _ = said()
    assert f"Already there, so not changed: {old / 'state' / 'state.db'}" in out
    assert f"stop tallyd, move {old / 'state'} away" in out
    assert {path: path.read_bytes() for path in before} == before


def test_what_is_missing_is_restored_beside_what_is_there(old: Path, said: Said) -> None:
    file = save(old)
    (old / "state" / "records.db").unlink()
    assert restore(old / "config.json", str(file)) == EXIT_OK
    out, _ = said()
    assert f"Written: {old / 'state' / 'records.db'}" in out
    assert f"Already there, so not changed: {old / 'state' / 'state.db'}" in out


def damage(content: bytes) -> bytes:
    middle = content.index(b"state.db") + 200
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


def repacked(
    content: bytes,
    change: Callable[[str, bytes], bytes] = lambda _name, data: data,
    *,
    how: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """Return the archive with other members, whose checksums in the archive itself are right."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w", how) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return target.getvalue()


def manifested(content: bytes, **changes: Any) -> bytes:
    """Return the archive with another manifest."""

    def changed(name: str, data: bytes) -> bytes:
        return json.dumps(json.loads(data) | changes).encode() if name == "manifest.json" else data

    return repacked(content, changed)


def naming(name: str) -> Callable[[bytes], bytes]:
    """Return what adds an empty member to an archive."""

    def added(content: bytes) -> bytes:
        target = io.BytesIO(content)
        with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, b"")
        return manifested(target.getvalue(), files={name: {"size_bytes": 0, "sha256": NOTHING}})

    return added


def changed_member(content: bytes) -> bytes:
    return repacked(content, lambda name, data: b"{}" if name == "config.json" else data)


def bomb(content: bytes) -> bytes:
    """Return the archive with a config that is packed small, and larger than the manifest says."""
    return repacked(content, lambda name, data: bytes(1 << 24) if name == "config.json" else data)


def encrypted(content: bytes) -> bytes:
    """Return the archive with the flag of a password at its first member."""
    place = content.index(b"PK\x01\x02") + 8
    return content[:place] + bytes([content[place] | 1]) + content[place + 1 :]


def from_the_future(content: bytes) -> bytes:
    """Return the archive as a version makes it whose manifest has nothing that we know."""

    def changed(name: str, data: bytes) -> bytes:
        return b'{"format": 2, "tallyd": "9.0"}' if name == "manifest.json" else data

    return repacked(content, changed)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(lambda content: content[:-1000], "is not complete", id="cut off"),
        pytest.param(lambda _: b"", "is not a backup of tallyd", id="empty"),
        pytest.param(damage, "is damaged: state.db", id="a flipped bit"),
        pytest.param(changed_member, "is damaged: config.json", id="another member"),
        pytest.param(lambda content: manifested(content, format=2), "by a newer tallyd", id="newer"),
        pytest.param(from_the_future, "by a newer tallyd (9.0)", id="of another form"),
        pytest.param(encrypted, "is damaged: state.db", id="with a password"),
        pytest.param(bomb, "is damaged: config.json", id="a bomb"),
        pytest.param(
            lambda content: repacked(content, how=zipfile.ZIP_BZIP2),
            "is not a backup of tallyd",
            id="packed in another way",
        ),
        pytest.param(naming("beside/../x"), "is not a backup of tallyd", id="a path that leaves"),
        pytest.param(naming("/etc/x"), "is not a backup of tallyd", id="an absolute path"),
        pytest.param(
            lambda content: manifested(content, files={"out/x": {"size_bytes": 0, "sha256": NOTHING}}),
            "is not a backup of tallyd",
            id="a member that is missing",
        ),
    ],
)
def test_a_file_that_is_no_sound_backup_changes_nothing(
    old: Path, tmp_path: Path, said: Said, change: Callable[[bytes], bytes], why: str
) -> None:
    file = save(old)
    file.write_bytes(change(file.read_bytes()))
    new = tmp_path / "new"
    new.mkdir()
    assert restore(new / "config.json", str(file)) == EXIT_PROBLEM
    assert why in said()[1]
    assert list(new.iterdir()) == []


def test_a_newer_state_is_refused_and_not_left_behind(old: Path, tmp_path: Path, said: Said) -> None:
    with closing(sqlite3.connect(old / "state" / "state.db")) as db:
        db.execute("PRAGMA user_version=99")
    file, new = save(old), tmp_path / "new"
    new.mkdir()
    assert restore(new / "config.json", str(file)) == EXIT_PROBLEM
    assert "was written by a newer tallyd" in said()[1]
    assert not (new / "config.json").exists()
    assert [path.name for path in (new / "state").iterdir() if path.name.startswith("state")] == []


def test_newer_records_are_refused(old: Path, tmp_path: Path, said: Said) -> None:
    with closing(sqlite3.connect(old / "state" / "records.db")) as db, db:
        db.execute("UPDATE tallyd_revision SET version_num='9999'")
    file, new = save(old), tmp_path / "new"
    new.mkdir()
    assert restore(new / "config.json", str(file)) == EXIT_PROBLEM
    assert "its tables are from a newer tallyd" in said()[1]
    assert not (new / "state" / "state.db").exists()


def test_the_log_of_another_database_is_not_applied_to_a_restored_one(old: Path, said: Said) -> None:
    file = save(old)
    (old / "state" / "state.db").unlink()
    (old / "state" / "state.db-wal").write_bytes(b"x")
    assert restore(old / "config.json", str(file)) == EXIT_PROBLEM
    assert "state.db-wal is left of another database; move it away" in said()[1]


def test_state_db_is_there_only_once_everything_else_is(old: Path, tmp_path: Path, said: Said) -> None:
    file, new = save(old), tmp_path / "new"
    (new / "out").mkdir(parents=True)
    (new / "out" / "divera").write_text("in the way")
    assert restore(new / "config.json", str(file)) == EXIT_PROBLEM
    assert "cannot write" in said()[1]
    assert {path.name for path in (new / "state").iterdir()} == {"records.db", "lock"}
    assert not (new / "config.json").exists()
    (new / "out" / "divera").unlink()
    assert restore(new / "config.json", str(file)) == EXIT_OK
    assert (new / "state" / "state.db").exists()


def test_a_running_daemon_is_named_and_not_disturbed(old: Path, said: Said) -> None:
    file = save(old)
    shutil.rmtree(old / "state")
    (old / "state").mkdir()
    with FileLock(old / "state" / "lock").take():
        assert restore(old / "config.json", str(file)) == EXIT_PROBLEM
    assert "tallyd runs (process " in said()[1]
    assert not (old / "state" / "state.db").exists()


def test_slots_keep_their_time_zone(old: Path, tmp_path: Path, said: Said) -> None:
    file, new = save(old), tmp_path / "new"
    new.mkdir()
    write_config(new, timezone="UTC")
    assert restore(new / "config.json", str(file)) == EXIT_PROBLEM
    assert "in time zone Europe/Berlin; set `timezone`" in said()[1]


def test_the_daemons_beside_the_old_one_are_not_those_beside_the_new_one(old: Path, tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{old / 'state' / 'records.db'}", prepares=True)) as database:
        table = database.hosts(name="old-pi", folder="/x")
        table.beat(version="1", config_digest="", duties={}, now=lambda: NOW)
        assert [each.name for each in database.read_hosts(now=NOW)] == ["old-pi"]
    new = tmp_path / "new"
    new.mkdir()
    restore(new / "config.json", str(save(old)))
    found: tuple[Host, ...]
    with closing(Database(f"sqlite:///{new / 'state' / 'records.db'}")) as database:
        found = database.read_hosts(now=NOW)
    assert found == ()


SERVER = "postgresql+psycopg://tallyd:canary-word@db.example/tallyd"


def test_databases_on_a_server_are_named_and_not_in_it_and_restored_without_them(
    tmp_path: Path, said: Said
) -> None:
    folder, new = tmp_path / "old", tmp_path / "new"
    (folder / "state").mkdir(parents=True)
    write_config(folder, database={"url": SERVER}, state={"url": SERVER})
    file = save(folder)
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["config.json", "manifest.json"]
        assert b"canary-word" not in archive.read("config.json")
    err = said()[1]
    assert "Not in it: state.url, which is on a server" in err
    assert "Not in it: database.url, which is on a server" in err
    assert restore(new / "config.json", str(file)) == EXIT_OK
    assert [path.name for path in (new / "state").iterdir()] == ["lock"]


def test_where_the_state_is_on_a_server_no_state_db_is_restored(old: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    write_config(tmp_path / "new", state={"url": SERVER})
    assert restore(tmp_path / "new" / "config.json", str(save(old))) == EXIT_OK
    assert {path.name for path in (tmp_path / "new" / "state").iterdir()} == {"lock", "records.db"}


def test_a_backup_without_records_moves_no_file_back(tmp_path: Path, said: Said) -> None:
    (tmp_path / "old").mkdir()
    gates = Gates(tmp_path / "old")
    gates.drop("12", "in", name="a.json")
    assert gates.tallyd("once", "visitors", "--job", "sweep").returncode == 0
    shutil.rmtree(gates.folder / "state")
    (gates.folder / "state").mkdir()
    file = save(gates.folder)
    assert list(members(file)) == ["config.json", "manifest.json"]
    restore(gates.config, str(file))
    assert "visitors: " not in "".join(said())
    assert gates.waiting() == []


def nowhere(folder: Path) -> str:
    return str(folder / "missing" / "x.zip")


def damaged(folder: Path) -> str:
    (folder / "state" / "records.db").write_bytes(b"SQLite format 3\0" + bytes(4096))
    return str(folder / "x.zip")


def another(folder: Path) -> str:
    locks = folder / "state" / "locks"
    locks.mkdir()
    FileLock(locks / "backup.lock").take()  # until the process ends
    return str(folder / "x.zip")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(nowhere, "cannot write", id="no folder"),
        pytest.param(damaged, "records.db can't be copied", id="damaged"),
        pytest.param(another, "another backup is being made now", id="at the same time"),
    ],
)
def test_a_backup_that_fails_leaves_no_file(
    old: Path, said: Said, change: Callable[[Path], str], why: str
) -> None:
    file = change(old)
    assert backup(old / "config.json", file, is_private=False, with_out=False) == EXIT_PROBLEM
    assert why in said()[1]
    assert [path.name for path in old.iterdir() if "x.zip" in path.name] == []
    assert not (old / "state" / ".backup").exists()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param("{", "config.json: invalid JSON", id="broken"),
        pytest.param(
            '{"timezone": "Europe/Berlin", "state": {"dir": "x"}}', "state.dir changed", id="to come"
        ),
    ],
)
def test_what_is_counted_can_be_saved_while_the_config_on_disk_is_not_that_of_the_daemon(
    old: Path, tmp_path: Path, said: Said, content: str, why: str
) -> None:
    write_active(load(old / "config.json", environ={}), restart="start it again")
    config = (old / "config.json").read_bytes()
    (old / "config.json").write_text(content)
    file, new = tmp_path / "x.zip", tmp_path / "new"
    assert backup(old / "config.json", str(file), is_private=True, with_out=True) == EXIT_PROBLEM
    err = said()[1]
    assert f"Not in it: {old / 'config.json'}. Keep copies" in err
    assert why in err.splitlines()[-1]
    assert list(members(file)) == ["state.db", "records.db", "manifest.json"]
    new.mkdir()
    assert restore(new / "config.json", str(file)) == EXIT_PROBLEM
    assert f"has no config; write {new / 'config.json'} first" in said()[1]
    (new / "config.json").write_bytes(config)
    assert restore(new / "config.json", str(file)) == EXIT_OK
    assert (new / "state" / "state.db").exists()


def test_a_copy_leaves_the_daemon_room_on_the_disk(
    old: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage(old)._replace(free=64 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: full)
    file = str(old / "x.zip")
    assert backup(old / "config.json", file, is_private=False, with_out=False) == EXIT_PROBLEM
    assert "not enough room for the copy of a database" in said()[1]


def test_a_file_that_cannot_be_read_is_the_one_that_is_named(old: Path, said: Said) -> None:
    (old / "state" / "locks").write_text("in the way")
    with pytest.raises(OSError, match="locks"):
        backup(old / "config.json", str(old / "x.zip"), is_private=False, with_out=False)
    assert not (old / "x.zip").exists()


def test_what_the_config_names_and_is_not_in_it_is_named(old: Path, said: Said) -> None:
    (old / "key").write_text(KEY)
    divera: dict[str, Json] = {"kind": "divera", "accesskey": "file:key", "at": ["08:00"]}
    write_config(old, pollers={"divera": divera})
    save(old)
    assert f"Not in it: {old / 'key'}. Keep copies" in said()[1]
    assert members(save(old, file="y.zip", is_private=True))["beside/key"] == KEY.encode()
    assert "Not in it" not in said()[1]


def test_a_pipe_and_a_terminal_are_no_files(old: Path, monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading) as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        with pytest.raises(typer.Exit):
            restore(old / "config.json", "-")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(typer.Exit):
        backup(old / "config.json", "-", is_private=False, with_out=False)
    assert said()[1].splitlines() == [
        "tallyd: restore reads a file, not a pipe: restore FILE, or restore - < FILE",
        "tallyd: a backup is no text; redirect it: backup - > FILE",
    ]


def test_without_a_past_there_is_nothing_to_back_up(tmp_path: Path, said: Said) -> None:
    path = write_config(tmp_path)
    assert backup(path, str(tmp_path / "x.zip"), is_private=False, with_out=False) == EXIT_PROBLEM
    assert "tallyd has not run with" in said()[1]
    assert not (tmp_path / "x.zip").exists()


def test_an_existing_config_that_is_broken_says_so(old: Path, tmp_path: Path) -> None:
    file, new = save(old), tmp_path / "new"
    new.mkdir()
    (new / "config.json").write_text("{")
    with pytest.raises(ConfigError):
        restore(new / "config.json", str(file))
    assert EXIT_CONFIG == 78


def test_it_goes_through_stdout_and_stdin(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    file, new = tmp_path / "x.zip", tmp_path / "new"
    new.mkdir()
    with file.open("w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert backup(old / "config.json", "-", is_private=False, with_out=False) == EXIT_OK
        monkeypatch.undo()
    with file.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert restore(new / "config.json", "-") == EXIT_OK
    assert (new / "state" / "state.db").exists()


def test_a_restored_file_is_there_once_it_is_whole(old: Path, tmp_path: Path) -> None:
    target, seen = tmp_path / "restored.db", []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            seen.append(target.exists())
            return super().read(size)

    archive = Archive(Watched(save(old).read_bytes()), "x.zip")
    seen.clear()
    (tmp_path / ".restored.db.tmp").write_text("left by a restore that was killed")
    archive.extract("state.db", target)
    assert len(seen) > 1
    assert not any(seen)
    assert target.read_bytes().startswith(b"SQLite format 3")
    assert not (tmp_path / ".restored.db.tmp").exists()


def test_files_are_back_in_the_inbox_before_there_is_a_state(tmp_path: Path, said: Said) -> None:
    gates = Gates(tmp_path)
    assert gates.tallyd("once", "visitors", "--job", "sweep").returncode == 0
    file = tmp_path / "x.zip"
    assert backup(gates.config, str(file), is_private=False, with_out=False) == EXIT_OK
    gates.drop("12", "in", name="a.json")
    assert gates.tallyd("once", "visitors", "--job", "sweep").returncode == 0
    shutil.move(gates.folder / "state", tmp_path / "damaged")
    (gates.folder / "state").mkdir()
    (gates.folder / "state" / "state.db-wal").write_bytes(b"x")
    assert restore(gates.config, str(file)) == EXIT_PROBLEM
    assert gates.waiting() == ["a.json"]


def test_files_that_were_ingested_after_the_backup_come_back_and_count_once(
    tmp_path: Path, said: Said
) -> None:
    (tmp_path / "old").mkdir()
    gates = Gates(tmp_path / "old")
    gates.drop("12", "in", "in", name="a.json")
    gates.drop("23", "in", name="b.json")
    gates.drop("23", name="alive.json")
    assert gates.tallyd("once", "visitors", "--job", "sweep").returncode == 0
    file = save(gates.folder)
    gates.drop("12", "out", name="c.json")
    gates.write("visitors", b"", name="ignored.txt")
    assert gates.tallyd("once", "visitors", "--job", "sweep").returncode == 0
    assert gates.waiting() == ["ignored.txt"]
    other = Folder(gates.inbox, own_source="visitors")
    other.take_lock()
    shutil.move(gates.folder / "state", tmp_path / "damaged")
    assert restore(gates.config, str(file)) == EXIT_OK
    assert "visitors: " in (err := said()[1])
    assert "is the inbox of another tallyd" in err
    assert gates.waiting() == ["ignored.txt"]
    other.close()
    assert restore(gates.config, str(file)) == EXIT_OK
    assert "visitors: 1 file ingested after the backup moved back" in said()[0]
    assert restore(gates.config, str(file)) == EXIT_PROBLEM, "as before"
    assert "moved back" not in said()[0]
    assert gates.waiting() == ["c.json", "ignored.txt"]
    sweep, report = json.loads(gates.tallyd("once", "visitors").stdout)
    assert {name: count for name, count in sweep["files"].items() if count} == {"done": 1}
    assert (report["counts"]["in"], report["counts"]["out"]) == (3, 1)
