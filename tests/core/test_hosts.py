"""The rules for daemons on one database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tallyd.core.hosts import Host, Neighbours, doubled, host_json, hosts_table, neighbours_of
from tallyd.core.language.languages import reading_in

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def host(
    name: str,
    *,
    ago_s: float = 10,
    started_s: float = 3600,
    folder: str = "/s",
    ahead_s: float = 0.2,
    **duties: str,
) -> Host:
    return Host(
        id=f"{name} {folder} {started_s}",
        name=name,
        folder=folder,
        version="1.0",
        started_at=NOW - timedelta(seconds=started_s),
        beat_at=NOW - timedelta(seconds=ago_s),
        ahead_s=ahead_s,
        config_digest="abc",
        duties={poller: frozenset(done.split()) for poller, done in duties.items()},
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "is_doubled"),
    [
        pytest.param("checks", "checks", True, id="both check"),
        pytest.param("inbox report", "inbox report", True, id="both report"),
        pytest.param("inbox report", "report", True, id="a centre and one that is both"),
        pytest.param("inbox", "inbox", False, id="two collectors"),
        pytest.param("inbox", "inbox report", False, id="a collector, and one with the report"),
        pytest.param("inbox report", "inbox", False, id="the other way round"),
        pytest.param("checks", "inbox report", False, id="another kind"),
    ],
)
def test_only_what_one_daemon_alone_may_do_is_doubled(ours: str, theirs: str, is_doubled: bool) -> None:
    other = host("pi2", one=theirs, two=ours)
    expected = {"one": (other,)} if is_doubled else {}
    assert doubled({"one": frozenset(ours.split())}, [other], now=NOW) == expected


@pytest.mark.parametrize(("ago_s", "is_gone"), [(0, False), (300, False), (301, True), (-3600, False)])
def test_a_host_that_is_gone_doubles_nothing(ago_s: float, is_gone: bool) -> None:
    other = host("pi2", ago_s=ago_s, apps="checks")
    assert other.is_gone(NOW) is is_gone
    assert bool(doubled(other.duties, [other], now=NOW)) is not is_gone


@pytest.mark.parametrize(
    ("ago_s", "counts"), [(59, True), (60, False), (200, False)], ids=["after it", "just then", "before it"]
)
def test_another_daemon_counts_if_it_has_beaten_since_our_start(ago_s: float, counts: bool) -> None:
    """A daemon that was stopped just before, to run here from now on, is no second one."""
    me = host("pi1", ago_s=0, started_s=60, apps="checks")
    found = Neighbours(me=me, others=(host("pi2", ago_s=ago_s, apps="checks"),))
    assert list(found.doubled(NOW)) == (["apps"] if counts else [])


def test_the_daemon_of_this_machine_and_folder_is_no_neighbour() -> None:
    hosts = [host("pi1"), host("pi1", folder="/t"), host("pi2"), host("pi1", started_s=5)]
    found = neighbours_of(hosts, name="pi1", folder="/s")
    assert [(each.name, each.folder) for each in found] == [("pi1", "/s"), ("pi1", "/t"), ("pi2", "/s")]
    assert all(each.started_at < NOW - timedelta(minutes=1) for each in found), "the newest one is left out"


def test_people_see_the_age_and_the_version_and_programs_all() -> None:
    others = [host("pi2", ago_s=20, apps="checks", park="inbox report"), host("pi3", ago_s=3600)]
    rows = hosts_table(others, now=NOW).rows
    assert [row[0] for row in rows] == ["pi2 (/s)", "pi3 (/s)"]
    assert [row[2:4] for row in rows] == [("20 s ago", "1.0"), ("1 h ago", "1.0")]
    assert rows[0][-1] == "apps, park"
    with reading_in("de"):
        assert hosts_table(others, now=NOW).rows[0][2] == "vor 20 Sek."
    shown = host_json(others[0], now=NOW)
    assert shown["pollers"] == {"apps": ["checks"], "park": ["inbox", "report"]}
    assert (shown["beat_at"], shown["is_gone"]) == ("2026-11-20T11:59:40.000000Z", False)


def test_people_see_whose_clock_is_wrong_once_one_is() -> None:
    right, behind = host("pi2"), host("pi3", ahead_s=-1620)
    assert "clock" not in [column.key for column in hosts_table([right], now=NOW).columns]
    found = hosts_table([right, behind, host("pi4", ahead_s=120)], now=NOW)
    assert found.columns[-1].key == "clock"
    assert [row[-1] for row in found.rows] == ["", "27 min behind", "2 min ahead"]
    assert host_json(behind, now=NOW)["clock_ahead_s"] == -1620
