"""The real daemon is killed with SIGKILL while it notifies people; no notification is lost.

The short form of campaigns/kill_notify.py, which does it at every system call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.chatservers import WebService, web_service
from support.divera_server import DiveraServer, divera_server
from support.needs import may_trace
from support.notifying_kills import Notifying, begin, end, kill, undisturbed
from support.syscalls import OUTWARD

pytestmark = pytest.mark.slow

Make = Callable[[Callable[..., Notifying]], Notifying]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[DiveraServer, WebService]]:
    with divera_server() as divera, web_service() as chat:
        yield divera, chat


@pytest.fixture
def make(servers: tuple[DiveraServer, WebService], tmp_path: Path) -> Make:
    """Returns a new site at each call, of the kind that is handed in."""
    divera, chat = servers
    made: list[Notifying] = []

    def new(kind: Callable[..., Notifying]) -> Notifying:
        name = f"{tmp_path.name}{len(made)}"
        made.append(kind(tmp_path / name, divera.client(name), chat))
        return made[-1]

    return new


@pytest.mark.parametrize("kind", [begin, end], ids=["it begins", "it is over"])
def test_killed_at_any_step_it_is_notified_and_once_noted_never_again(
    kind: Callable[..., Notifying], make: Make
) -> None:
    may_trace()
    calls = undisturbed(make(kind)).calls
    # The last calls are those of telling: the process that sends has answered, the note is committed.
    outward = [n for n, (name, _about) in enumerate(calls, start=1) if name in OUTWARD]
    assert len(outward) >= 8, calls
    for number in (outward[-3], outward[-1]):
        heard = kill(make(kind), number)
        assert not heard.violations(), str(heard)
