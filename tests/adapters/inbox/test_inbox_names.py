"""Names of any bytes: found, shown, opened, moved and replayed, and never confused with each other."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.inbox.dropping import Site
from support.long import tries
from tallyd.adapters.inbox.filenames import Pattern, escaped, flat_name, free_names, shown, source_of
from tallyd.core.texts import UNPRINTABLE

JSON = Pattern("*.json")


def _possible(name: bytes) -> bool:
    return name not in {b".", b".."} and b"/" not in name and b"\0" not in name


anything = st.binary(min_size=1, max_size=255).filter(_possible)
awkward = st.lists(
    st.sampled_from(
        [b"\\", b"\\x", b"ff", b"\xff", b"\xc2\x85", b"\x85", b"\n", b"n", b"-", "ü🎥".encode(), b"a"]
    ),
    min_size=1,
    max_size=60,
).map(lambda parts: b"".join(parts)[:255])
folders = anything | awkward


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"Gate 12", "Gate 12"),
        ("Tür-🎥".encode(), "Tür-🎥"),
        (b"a\nb\x1b", "a\\nb\\x1b"),
        (b"\xff", "\\xff"),
        (b"\\xff", "\\\\xff"),
        ("\x85\u202e".encode(), "\\u0085\\u202e"),
        (b"\x85", "\\x85"),
    ],
)
def test_escapes_show_what_is_there(name: bytes, text: str) -> None:
    assert escaped(os.fsdecode(name)) == text


@given(folders, folders)
def test_two_folders_are_never_one_source(one: bytes, other: bytes) -> None:
    sources = [source_of(os.fsdecode(name)) for name in (one, other)]
    assert (sources[0] == sources[1]) == (one == other)
    for source in sources:
        assert 0 < len(source.encode("utf-8")) <= 200
        assert not UNPRINTABLE.search(source)


@given(st.integers(190, 255), st.integers(190, 255), st.sampled_from(["a", "ü", "\\", "🎥"]))
def test_long_folders_that_begin_alike_are_different_sources(one: int, other: int, letter: str) -> None:
    names = [(letter * size).encode()[:255].decode("utf-8", "ignore") for size in (one, other)]
    assert (source_of(names[0]) == source_of(names[1])) == (names[0] == names[1])


@given(folders)
def test_a_source_that_was_cut_is_not_the_name_of_another_folder(name: bytes) -> None:
    cut = source_of(os.fsdecode(name))
    if cut != os.fsdecode(name):
        assert source_of(cut) != cut or len(cut.encode()) < 200


@given(folders)
def test_shown_names_are_short_printable_and_their_own(name: bytes) -> None:
    text = shown(os.fsdecode(name))
    assert len(text.encode("utf-8")) <= 209
    assert not UNPRINTABLE.search(text)


@given(st.lists(folders, min_size=1, max_size=4))
def test_names_of_moved_files_match_the_pattern_and_leave_room_for_the_reason(parts: list[bytes]) -> None:
    below = [os.fsdecode(part.lstrip(b".") or b"x") for part in parts]
    below[-1] = os.fsdecode(os.fsencode(below[-1])[:250]) + ".json"
    flat = flat_name(below, JSON)
    assert JSON.wants(flat)
    assert not flat.endswith(".reason.json")
    tried = list(free_names(flat))
    assert len(set(tried)) == len(tried) > 10
    assert all(JSON.wants(one) and len(f".{one}.reason.json.tmp".encode()) <= 255 for one in tried)


def test_a_sub_folder_becomes_part_of_the_name_unless_the_pattern_forbids_it() -> None:
    assert flat_name(["day", "0815.json"], JSON) == "day__0815.json"
    assert flat_name(["day", "0815.json"], Pattern("08*")) == "0815.json"
    assert flat_name(["a.reason.json"], JSON) == "a.reason_.json"


@settings(max_examples=tries(60), suppress_health_check=[HealthCheck.too_slow])
@given(folder=st.none() | anything, stem=anything.map(lambda name: name[:250]))
def test_a_file_of_any_name_is_read_rejected_replayed_and_done(folder: bytes | None, stem: bytes) -> None:
    with tempfile.TemporaryDirectory() as top:
        site = Site(Path(top) / "inbox")
        name = b"x" + stem[:249] + b".json"
        place = b"" if folder is None else (b"x" + folder)[:250] + b"o"
        site.drop(b"/".join(filter(None, (place, name))), b"[1]")
        waiting = site.only()
        source = "hall" if folder is None else source_of(os.fsdecode(place))
        assert waiting.source == source
        assert site.read(waiting) == b"[1]"
        site.folder.rejected(waiting, {"why": "a test"})
        (rejected,) = site.folder.rejected_files()
        assert (rejected.source, rejected.reason) == (source, {"why": "a test"})
        assert site.folder.replay([rejected.name]) == (rejected.name,)
        again = site.only()
        assert again.source == source
        site.read(again)
        site.folder.done(again)
        assert list(site.quarantined("done").values()) == [b"[1]"]
        assert site.quarantined("rejected") == {}
        assert site.folder.look().waiting == ()
