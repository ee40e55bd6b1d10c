"""Two daemons on one PostgreSQL: one is the leader, and only its changes count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.records.servers import Server
from adapters.state.damage import execute
from support.daemon import wait_until
from support.past import write_config
from tallyd.adapters.state import DeposedError, State, StateDamagedError, StateError, leadership
from tallyd.adapters.state.leadership import Leadership, other_configs
from tallyd.adapters.state.server_session import check_session, place_of
from tallyd.config.load import load
from tallyd.storage.recovery import open_state

AT = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
LEADERS = "tallyd leader%"


class Pair:
    """Two daemons, `pi1` and `pi2`."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.url = url
        self.first, self.second = (
            Leadership(url, host=host, folder="/var/lib/tallyd/state") for host in ("pi1", "pi2")
        )
        stack.callback(self.first.release)
        stack.callback(self.second.release)


@pytest.fixture
def pair(empty_postgresql: str) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(empty_postgresql, stack)


def end_sessions(server: Server, like: str) -> None:
    """Let the server end sessions by their name, as with a silent process; return once they have ended."""
    server.execute(
        f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name LIKE '{like}'"
    )


def test_one_of_two_is_the_leader_and_both_know_who(pair: Pair) -> None:
    assert pair.first.take(now=AT)
    assert not pair.second.take(now=AT)
    for each in (pair.first, pair.second):
        leader = each.leader()
        assert leader is not None
        assert (leader.term, leader.host, leader.since, leader.is_there) == (1, "pi1", AT, True)


def test_who_stops_lets_the_other_one_begin_at_once(pair: Pair) -> None:
    assert pair.first.take(now=AT)
    assert not pair.second.take(now=AT)
    pair.first.release()
    assert pair.second.wait(10), "it is woken"
    leader = pair.second.leader()
    assert leader is not None
    assert not leader.is_there
    assert pair.second.take(now=AT)
    leader = pair.second.leader()
    assert leader is not None
    assert (leader.term, leader.host) == (2, "pi2")


def test_a_leader_that_was_frozen_changes_nothing_any_more(postgresql: Server, pair: Pair) -> None:
    assert pair.first.take(now=AT)
    with closing(State(pair.url, token=pair.first.token)) as state:
        state.set_note("by", "first")
        state.confirm()
        end_sessions(postgresql, LEADERS)
        assert pair.second.take(now=AT)
        with pytest.raises(StateError):
            state.set_note("by", "first again")  # its session was ended
        with pytest.raises(DeposedError):
            state.set_note("by", "first again")
        with pytest.raises(DeposedError):
            state.confirm()
        with pytest.raises(StateError):
            pair.first.keep()  # finds that it was cut off
        assert not pair.first.keep()
        assert state.note("by") == "first"


def test_a_change_that_a_former_leader_has_begun_is_undone_and_keeps_nobody_waiting(
    postgresql: Server, pair: Pair
) -> None:
    assert pair.first.take(now=AT)
    with closing(State(pair.url, token=pair.first.token)) as state:
        state.set_note("by", "first")

        def change_meanwhile() -> None:
            with state.together():
                state.set_note("by", "first again")
                end_sessions(postgresql, LEADERS)
                assert pair.second.take(now=AT)

        with pytest.raises(StateError):
            change_meanwhile()
        with pytest.raises(DeposedError):
            state.set_note("by", "first once more")
        assert state.note("by") == "first"


def test_a_leader_that_is_silent_for_too_long_loses_the_lock(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pair.first.take(now=AT)
    assert not pair.second.take(now=AT)
    assert not pair.second.take(now=AT), "it has just said something"
    monkeypatch.setattr(leadership, "LEASE_S", 0)
    wait_until(lambda: pair.second.take(now=AT), what="the other one is the leader")


def test_a_lost_session_is_no_lost_term_while_nobody_else_took_over(postgresql: Server, pair: Pair) -> None:
    assert pair.first.take(now=AT)
    end_sessions(postgresql, LEADERS)
    with pytest.raises(StateError):
        pair.first.keep()  # finds that it was cut off
    assert pair.first.keep()
    assert not pair.second.take(now=AT)
    leader = pair.second.leader()
    assert leader is not None
    assert leader.term == 1


def test_commands_change_things_beside_the_leader_which_sees_that(pair: Pair) -> None:
    assert pair.first.take(now=AT)
    with closing(State(pair.url, token=pair.first.token)) as state, closing(State(pair.url)) as command:
        state.was_changed_elsewhere()
        state.set_note("own", "x")
        assert not state.was_changed_elsewhere()
        command.notifications.mute("apps/*", since=AT, until=AT, why="", by="me")
        assert state.was_changed_elsewhere()


def test_a_connection_that_was_cut_off_is_made_anew(postgresql: Server, pair: Pair) -> None:
    with closing(State(pair.url)) as state:
        state.set_note("a", "1")
        end_sessions(postgresql, "tallyd %")
        with pytest.raises(StateError):
            state.note("a")
        assert state.note("a") == "1"


def test_a_commit_whose_answer_gets_lost_is_looked_up(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(State(pair.url)) as state:
        connection = state._connection
        commit = connection._commit  # type: ignore[attr-defined] # of PostgreSQL
        seen: list[str] = []

        def committing(db: object, xid: str) -> None:
            seen.append(xid)
            db.execute("COMMIT")  # type: ignore[attr-defined] # psycopg's
            db.close()  # type: ignore[attr-defined] # psycopg's: and the answer never comes
            commit(db, xid)

        monkeypatch.setattr(connection, "_commit", committing)
        state.set_note("a", "1")
        assert seen
        assert state.note("a") == "1"
        monkeypatch.setattr(connection, "_commit", lambda db, xid: (db.close(), commit(db, xid)))
        with pytest.raises(StateError):
            state.set_note("a", "2")
        assert state.note("a") == "1"


def test_the_server_ends_the_session_of_who_is_silent(pair: Pair) -> None:
    assert pair.first.take(now=AT)
    with pair.first._lock:
        shown = pair.first._connected().execute("SHOW idle_session_timeout").fetchone()
    assert shown == ("20s",)
    with closing(State(pair.url)) as state:
        assert execute(state, "SELECT current_setting('idle_in_transaction_session_timeout')") == [("20s",)]


def test_both_find_out_that_their_configs_differ_and_since_when(postgresql: Server, pair: Pair) -> None:
    place = {"host": "pi3", "folder": "/elsewhere"}
    pair.first.config = pair.second.config = "one"
    assert pair.first.take(now=AT)
    assert not pair.second.take(now=AT)
    assert pair.first.keep()
    assert (pair.first.other_configs, pair.second.other_configs) == ((), ())
    pair.second.config = "two"
    before = datetime.now(UTC)
    assert not pair.second.take(now=AT)
    assert pair.first.keep()
    assert [each.host for each in pair.second.other_configs] == ["pi1"]
    (found,) = pair.first.other_configs
    assert (found.host, found.folder) == ("pi2", "/var/lib/tallyd/state")
    assert abs(found.since - before) < timedelta(minutes=1)
    assert not pair.second.take(now=AT)
    assert pair.first.keep()
    assert pair.first.other_configs == (found,), "since when they differ"
    assert [each.host for each in other_configs(pair.url, **place, config="two")] == ["pi1"]

    database = pair.url.rpartition("/")[2]
    postgresql.execute("UPDATE tallyd_state.daemon SET seen_at=now()-interval '61 s'", database)
    assert pair.first.keep()
    assert not pair.first.other_configs, "the other one is away"


def test_a_leader_that_cannot_note_its_term_lets_the_lock_go(postgresql: Server, pair: Pair) -> None:
    assert pair.first.leader() is None
    database = pair.url.rpartition("/")[2]
    postgresql.execute("ALTER TABLE tallyd_state.leader RENAME TO gone", database)
    with pytest.raises(StateError):
        pair.first.take(now=AT)
    postgresql.execute("ALTER TABLE tallyd_state.gone RENAME TO leader", database)
    assert pair.second.take(now=AT)


def test_a_connection_that_is_lost_in_the_middle_of_a_change_undoes_all_of_it(
    postgresql: Server, pair: Pair
) -> None:
    with closing(State(pair.url)) as state:

        def change() -> None:
            with state.together():
                state.set_note("a", "1")
                end_sessions(postgresql, "tallyd command %")
                with pytest.raises(StateError):
                    state.set_note("b", "2")
                state.set_note("c", "3")

        with pytest.raises(StateError, match="connection"):
            change()
        assert [state.note(each) for each in "abc"] == [None] * 3


def test_a_change_of_which_a_part_failed_unnoticed_is_undone_and_says_so(pair: Pair) -> None:
    with closing(State(pair.url)) as state:

        def change() -> None:
            with state.together():
                state.set_note("a", "1")
                with pytest.raises(StateError):
                    execute(state, "SELECT 1/0")

        with pytest.raises(StateError, match="the change was undone"):
            change()
        assert state.note("a") is None


def test_while_the_server_lets_nobody_in_nobody_waits_for_it(postgresql: Server, pair: Pair) -> None:
    database = pair.url.rpartition("/")[2]
    with closing(State(pair.url)) as state:
        postgresql.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        end_sessions(postgresql, "tallyd command %")
        with pytest.raises(StateError):
            state.note("a")
        with pytest.raises(StateError) as refused:
            state.note("a")
        postgresql.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
        with pytest.raises(StateError) as again:
            state.note("a")
        assert str(again.value) == str(refused.value), "it is not asked again at once"
        wait_until(state.answers)


def test_what_is_damaged_on_a_server_is_left_to_its_administrator(pair: Pair, tmp_path: Path) -> None:
    config = load(write_config(tmp_path, state={"url": pair.url}), environ={})
    with closing(open_state(config, now=AT)) as state:
        execute(state, "INSERT INTO memory (poller, job, value) VALUES ('divera', 'count', '{')")
    with pytest.raises(StateDamagedError):
        open_state(config, now=AT)
    assert list(tmp_path.glob("state/*damaged*")) == []


def test_an_encoding_without_all_letters_is_refused(postgresql: Server) -> None:
    postgresql.execute(
        "CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    with pytest.raises(StateError, match="the encoding of the database is not UTF8"):
        State(postgresql.url("ascii"))


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql+psycopg://tallyd:canary@db.example:5433/a", "PostgreSQL at db.example:5433"),
        ("postgresql://db.example/a", "PostgreSQL at db.example"),
        ("postgresql+psycopg://tallyd@/a?host=/run/postgresql", "PostgreSQL on this machine"),
        ("postgresql:///a", "PostgreSQL on this machine"),
    ],
)
def test_a_server_is_called_by_its_host_and_never_by_its_password(url: str, place: str) -> None:
    assert place_of(url) == place


def test_two_sessions_are_no_pooler(empty_postgresql: str) -> None:
    check_session(empty_postgresql)


def test_a_text_with_a_nul_is_stored_without_it(postgresql: Server, empty_postgresql: str) -> None:
    with closing(State(empty_postgresql)) as state:
        state.set_note("a", "b\0c")
        assert state.note("a") == "b\N{SYMBOL FOR NULL}c"
