"""The real process is killed with SIGKILL while it takes visitors' files; nothing is lost or doubled.

The short form of campaigns/kill.py, which does it at every system call, at random, and on each database.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.killing import Report
from support.long import some
from support.needs import may_trace
from support.verdict import Kind
from support.visits_kills import kill_and_take_the_rest, kill_at_random, naive, take_the_rest, traced
from support.visits_site import Sites, Step, VisitsSite, fill, fill_plainly, violations

Make = Callable[[], VisitsSite]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Sites:
    return Sites(tmp_path_factory.mktemp("visits"))


@pytest.fixture(scope="module")
def undisturbed(sites: Sites) -> Report:
    """One taking of files that nobody kills: its system calls."""
    may_trace()
    site = fill(sites.new())
    report = traced(site)
    assert violations(site) == []
    return report


@pytest.mark.slow
def test_a_process_that_is_killed_behind_the_commit_loses_and_doubles_nothing(
    undisturbed: Report, sites: Sites
) -> None:
    calls = list(enumerate(undisturbed.calls, start=1))
    commits = [n for n, (name, about) in calls if name == "fdatasync" and about.endswith("records.db-wal")]
    moves = [n for n, (name, _) in calls if name == "renameat2"]
    assert len(moves) == 6, "each file is moved aside"
    (commit,) = [n for n in commits if n < moves[0]][-1:]
    for number, step in {commit + 1: Step.COMMITTED, moves[2]: Step.MOVING}.items():
        kill = kill_and_take_the_rest(fill(sites.new()), number)
        assert kill.step is step, f"it landed elsewhere: {kill}"
        assert not kill.violations, str(kill)


@pytest.mark.parametrize(
    ("variant", "after", "kind"),
    some(
        [
            pytest.param("move-first", 1, "lost", id="moved, then stored"),
            pytest.param("no-ledger", 0, "twice", id="stored, then moved, without a ledger"),
        ]
    ),
)
def test_a_kill_beside_the_move_finds_what_a_naive_order_breaks(
    variant: str, after: int, kind: Kind, undisturbed: Report, sites: Sites
) -> None:
    command = naive(variant)
    site = fill_plainly(sites.new())
    calls = traced(site, command).calls
    assert take_the_rest(site, command) == [], "undisturbed it is as good as any"
    move = next(n for n, (name, _about) in enumerate(calls, start=1) if name.startswith("rename"))
    kill = kill_and_take_the_rest(fill_plainly(sites.new()), move + after, command)
    assert {violation.kind for violation in kill.violations} == {kind}


def test_a_daemon_that_is_killed_again_and_again_while_files_come_loses_and_doubles_nothing(
    sites: Sites,
) -> None:
    kills = list(kill_at_random(sites.new(), 2, seed=1))
    assert not kills[-1].violations, str(kills[-1])


def test_what_is_compared_finds_a_passage_too_few_and_one_too_many(sites: Sites) -> None:
    site = fill_plainly(sites.new())
    assert take_the_rest(site) == []
    first = site.dropped[0]
    site.dropped.remove(first)
    assert {found.kind for found in violations(site)} == {"twice", "wrong"}
    site.dropped += [first, first]
    assert "lost" in {found.kind for found in violations(site)}
