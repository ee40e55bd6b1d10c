"""What `check --online` says about a state that daemons share."""

from __future__ import annotations

import socket
from contextlib import closing

from tallyd.adapters.state import State, StateError
from tallyd.cli.shared import utc_now
from tallyd.config.model import Config
from tallyd.core.alerts.daemon_alerts import configs_problem
from tallyd.core.alerts.values import Wording
from tallyd.core.alerts.wording import said
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM
from tallyd.core.language.formats import clock
from tallyd.core.language.messages import tr, translated
from tallyd.presentation.terminal import complain, say


def those_who_take_turns(config: Config) -> frozenset[tuple[str, str]]:
    """Return the host and the folder of each daemon that shares the state, as far as it can be read."""
    if config.state_url is None:
        return frozenset()
    from tallyd.adapters.state.leadership import sharers  # noqa: PLC0415 # an extra

    try:
        return sharers(config.state_url)
    except StateError:
        return frozenset()  # `try_state` says why


def try_state(config: Config) -> int:
    """Try the server of the state, and say who is active. Return 1 if a standby could not work with it."""
    if config.state_url is None:
        return EXIT_OK
    from tallyd.adapters.state.leadership import other_configs  # noqa: PLC0415 # an extra
    from tallyd.adapters.state.server_session import check_session  # noqa: PLC0415 # an extra

    me = {"host": socket.gethostname(), "folder": str(config.state_dir)}
    try:
        check_session(config.state_url)
        with closing(State(config.state_url)) as state:
            place, leader = translated(state.place), state.leader()
        problem = configs_problem(other_configs(config.state_url, **me, config=config.digest))
    except StateError as error:
        complain(f"state.url: {translated(str(error))}")
        return EXIT_PROBLEM
    if leader is None or not leader.is_there:
        say(tr("state.url: {place} answers; nobody is active", place=place), style="fine")
    else:
        text = tr(
            "state.url: {place} answers; active is {host} since {since}",
            place=place,
            host=leader.host,
            since=clock(leader.since, config.zone, now=utc_now()),
        )
        say(text, style="fine")
    if problem is not None:
        complain(said(problem, Wording(now=utc_now(), zone=config.zone, tallyd=config.tallyd)))
    return EXIT_PROBLEM if problem else EXIT_OK
