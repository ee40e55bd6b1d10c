"""How the demo shows what the daemon wrote."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from tallyd.demo.counts import Counted, OutFolder, in_a_line, in_a_table, missing, targets_in_a_table

DUE_AT = datetime.fromisoformat("2026-11-20T08:00:04+01:00")


def counted(counts: dict[str, int | None], *, total: int | None = None, after_s: float = 0) -> Counted:
    return Counted(
        path=Path("x.json"),
        poller="divera",
        kind="divera",
        due_at=DUE_AT + timedelta(seconds=after_s),
        total=total,
        counts=counts,
    )


def write(root: Path, name: str, counts: dict[str, int], names: dict[str, str] | None = None) -> None:
    path = root / "divera" / "2026-11" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "poller": "divera",
        "kind": "divera",
        "due_at": DUE_AT.isoformat(),
        "total": sum(counts.values()),
    }
    path.write_text(json.dumps({**content, "counts": counts, "names": names or {}}))


def test_each_file_is_found_once_and_in_order(tmp_path: Path) -> None:
    out = OutFolder(tmp_path)
    assert out.new() == []
    write(tmp_path, "2026-11-20T080014+0100.json", {"1": 1})
    write(tmp_path, "2026-11-20T080004+0100.json", {"1": 1})

    assert [found.path.name[11:17] for found in out.new()] == ["080004", "080014"]
    assert out.new() == []


def test_only_files_of_tallyds_naming_are_read(tmp_path: Path) -> None:
    write(tmp_path, "notes.json", {"1": 1})
    write(tmp_path, ".2026-11-20T080004+0100.json.tmp", {"1": 1})
    (tmp_path / "divera" / "latest.json").write_text("{}")

    assert OutFolder(tmp_path).new() == []


def test_statuses_are_called_by_name_where_one_is_known(tmp_path: Path) -> None:
    write(tmp_path, "2026-11-20T080004+0100.json", {"50101": 2, "50102": 1, "none": 3}, {"50101": "ready"})

    (found,) = OutFolder(tmp_path).new()
    assert in_a_line(found, None) == "6 people: ready 2, 50102 1, no status 3"


def test_a_line_says_what_changed() -> None:
    before = counted({"ready": 12, "out": 2, "gone": 4, "same": 1})
    now = counted({"ready": 10, "out": 5, "same": 1, "came": 3}, total=19)

    assert in_a_line(now, before) == "19 people: ready 10 (-2), out 5 (+3), same 1, came 3 (+3), gone 0 (-4)"


def test_a_hidden_count_is_not_compared() -> None:
    assert in_a_line(counted({"a": None, "b": 7}), counted({"a": 4, "b": None})) == "a hidden, b 7"


def test_the_table_has_the_last_the_least_and_the_most() -> None:
    readings = [counted({"ready": 5, "out": 1}), counted({"ready": 2}), counted({"ready": 4, "leave": 1})]

    assert in_a_table(readings) == [("ready", 4, 2, 5), ("out", 0, 0, 1), ("leave", 1, 0, 1)]


def test_slots_without_a_reading_are_those_between_the_first_and_the_last() -> None:
    def readings(*after_s: float) -> list[Counted]:
        return [counted({}, after_s=each) for each in after_s]

    assert missing(readings(0), every_s=10) == 0
    assert missing(readings(0, 10, 20), every_s=10) == 0
    assert missing(readings(0, 30, 50), every_s=10) == 3
    assert missing([], every_s=10) == 0


VISITORS: dict[str, object] = {
    "poller": "gates",
    "kind": "visitors",
    "due_at": DUE_AT.isoformat(),
    "counts": {"in": 9, "out": 2, "inside": 7, "other": 0, "balance": 7},
    "report": {"state": "sent", "answer": "OK", "payload": []},
}


def server(state: str, lag_s: float | None, oldest_s: float | None) -> dict[str, object]:
    return {"state": state, "lag_s": lag_s, "lag_s_max": oldest_s}


def written(root: Path, *contents: dict[str, object]) -> list[Counted]:
    for number, content in enumerate(contents):
        path = root / str(content["poller"]) / "2026-11" / f"2026-11-20T0800{number:02}+0100.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return OutFolder(root).new()


def servers(targets: dict[str, object]) -> dict[str, object]:
    counts = {"fresh": 1, "stale": 1}
    return {
        "poller": "apps",
        "kind": "servers",
        "due_at": DUE_AT.isoformat(),
        "counts": counts,
        "targets": targets,
    }


def test_a_report_of_visitors_says_what_the_upstream_answered(tmp_path: Path) -> None:
    queued = {**VISITORS, "report": {"state": "queued", "answer": None, "payload": []}}
    first, second = written(tmp_path, VISITORS, queued)

    assert in_a_line(first, None) == "in 9, out 2, inside 7, other 0; report sent: OK"
    assert in_a_line(second, first) == "in 9, out 2, inside 7, other 0; report queued"


def test_servers_are_shown_by_their_state_and_the_age_of_their_data(tmp_path: Path) -> None:
    (found,) = written(
        tmp_path, servers({"PROD": server("fresh", 1.9, 2.0), "STAGE": server("unreachable", None, 75.0)})
    )

    assert in_a_line(found, None) == "PROD fresh (1 s old), STAGE unreachable"


def test_the_table_of_servers_has_all_states_and_the_oldest_data(tmp_path: Path) -> None:
    readings = written(
        tmp_path,
        servers({"PROD": server("fresh", 1.0, 3.0), "STAGE": server("stale", 14.0, 14.0)}),
        servers({"PROD": server("fresh", 2.0, 2.0), "STAGE": server("fresh", 1.0, 21.5)}),
        servers({"NEW": server("unreachable", None, None), "PROD": server("fresh", 2.0, 2.0)}),
    )

    assert targets_in_a_table(readings) == [
        ("PROD", "fresh", "fresh", "3 s"),
        ("STAGE", "fresh", "stale, fresh", "21 s"),
        ("NEW", "unreachable", "unreachable", None),
    ]
