"""The problems of the daemon itself, such as its clock, its config, its disk and its channels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.rules import OWN
from tallyd.core.alerts.values import Name, Span
from tallyd.core.hosts import Host, place_of
from tallyd.core.language.messages import mark
from tallyd.core.leader import OtherConfig
from tallyd.core.out_document import is_clock_suspect
from tallyd.core.reading import Problem

CLOCK = AlertKind(
    key="tallyd/clock",
    severity="warning",
    text=mark(
        "this machine's clock is [{ahead} ahead of][{behind} behind] the clock of a source. "
        "Readings get wrong times (clock_suspect). Check the clock with: timedatectl"
    ),
    over=mark("this machine's clock is correct again"),
    ends=mark("a source whose clock differs by less than a minute"),
    short=mark("clock wrong"),
    many=mark("clocks"),
)
CONFIG = AlertKind(
    key="tallyd/config",
    severity="error",
    text=mark(
        "the config file was rejected: {reason}. Fix it; tallyd reloads it automatically. "
        "Changes that need a restart apply at the next start."
    ),
    over=mark("the config file is valid"),
    ends=mark("the config file is active, or becomes active"),
    short=mark("config rejected"),
    many=mark("configs"),
)
STATE = AlertKind(
    key="tallyd/state",
    severity="error",
    text=mark(
        "cannot write {reason}, since {since}. Sent from memory; new readings are only in memory, and are "
        "lost if tallyd stops. Check the disk (SD card) or the database."
    ),
    over=mark("state.db is writable"),
    ends=mark("state.db is writable, and everything from memory is in it"),
    short=mark("state.db not writable"),
    many=mark("databases"),
)
DAMAGED = AlertKind(
    key="tallyd/damaged",
    severity="error",
    text=mark(
        "state.db was damaged. tallyd moved it to {file} and created a new one from the readings in out/. "
        "Check the disk (SD card), then delete that file."
    ),
    over=mark("the damaged state.db was deleted"),
    ends=mark("somebody deletes the damaged file"),
    short=mark("state.db damaged"),
    many=mark("databases"),
)
OUT = AlertKind(
    key="tallyd/out",
    severity="error",
    text=mark(
        "{reason}. Readings stay in state.db until tallyd can write the files. "
        "Check the disk and the permissions of the folder."
    ),
    over=mark("out/ is writable and has every reading"),
    ends=mark("every reading is written to out/"),
    short=mark("out/ not writable"),
    many=mark("folders"),
)
LOG = AlertKind(
    key="tallyd/log",
    severity="warning",
    text=mark("{reason}"),
    over=mark("the log is writable"),
    ends=mark("the log is writable, and can be rotated"),
    short=mark("log not writable"),
    many=mark("logs"),
)
WEB = AlertKind(
    key="tallyd/web",
    severity="warning",
    text=mark(
        "the page is not available since {since}: {reason}. Counting goes on; tallyd retries every minute."
    ),
    over=mark("the page is available"),
    ends=mark("the page is available"),
    short=mark("page not available"),
    many=mark("pages"),
)
INTAKE = AlertKind(
    key="tallyd/intake",
    severity="error",
    text=mark(
        "the intake is not available since {since}: {reason}. Cameras cannot send files; tallyd retries "
        "every minute."
    ),
    over=mark("the intake is available"),
    ends=mark("the intake is available"),
    short=mark("intake not available"),
    many=mark("intakes"),
)
PART_CRASHED = AlertKind(
    key="tallyd/<part>/crashed",
    severity="error",
    text=mark(
        "tallyd itself failed ({reason}) in: {part}. Everything else continues, and tallyd retries this. "
        "The log has the traceback; please report it."
    ),
    over=mark("works again: {part}"),
    ends=mark("the part works again"),
    short=mark("tallyd itself failed"),
    many=mark("failed parts of tallyd"),
)
UNDELIVERED = AlertKind(
    key="tallyd/<channel>/undelivered",
    severity="error",
    text=mark(
        "channel {channel} has not accepted messages since {since}: {reason}. tallyd retries; missed alerts "
        "follow once it does. Test it with: {tallyd} notify {channel}"
    ),
    over=mark("channel {channel} accepts messages"),
    ends=mark("the channel accepts a message"),
    short=mark("messages not accepted"),
    many=mark("channels that do not accept messages"),
)
NETWORK = AlertKind(
    key="tallyd/network",
    severity="error",
    text=mark(
        "no other machine answers since {since}: {targets} targets on {hosts} hosts. Check the network of "
        "this machine. Messages about single targets wait until one answers."
    ),
    over=mark("the network works again"),
    ends=mark("a target on another machine answers"),
    short=mark("no other machine answers"),
    many=mark("networks"),
)
DOUBLED = AlertKind(
    key="tallyd/<poller>/doubled",
    severity="error",
    text=mark(
        "another tallyd with the same database runs the poller {poller} too: {host}. Each of the two spoils "
        "or repeats what the other one stores and reports. Stop one of them, or give its poller another name."
    ),
    over=mark("no other tallyd with the same database runs the poller {poller}"),
    ends=mark("the other tallyd has stopped for five minutes, or its poller has another name"),
    short=mark("runs twice"),
    many=mark("pollers that run twice"),
)
CONFIGS = AlertKind(
    key="tallyd/configs",
    severity="warning",
    text=mark(
        "the config on {host} differs from that of the daemon that shares its state, since {since}. After a "
        "takeover, tallyd works by the other config. Copy the right one to the other machine; only the "
        "addresses of web and intake may differ. Without `timezone`, the machines must be in "
        "the same time zone."
    ),
    over=mark("the configs of the daemons that share the state are the same"),
    ends=mark("the configs are the same, or the other daemon has been away for a minute"),
    short=mark("configs differ"),
    many=mark("configs that differ"),
)
EXECUTOR = AlertKind(
    key="tallyd/executor",
    severity="error",
    text=mark(
        "{poller}: workers do not check targets as they should: {reason}."
        "[ {left:# target was|# targets were} not checked in the last round; what is known of them stays.]"
        "[ tallyd itself checked {own:# target|# targets} instead.]"
    ),
    over=mark("workers check all targets again"),
    ends=mark("a round in which workers check all their targets"),
    short=mark("workers do not check"),
    many=mark("executors"),
)
OWN_KINDS = (
    CLOCK,
    NETWORK,
    CONFIG,
    CONFIGS,
    STATE,
    DAMAGED,
    OUT,
    LOG,
    WEB,
    INTAKE,
    EXECUTOR,
    DOUBLED,
    PART_CRASHED,
    UNDELIVERED,
)
"""The kinds for the daemon itself."""


def clock_suspect(skew_s: float, *, now: datetime) -> Problem | None:
    """Return the problem of a clock that a source contradicts; None while they agree to a minute.

    `skew_s` is how far our clock is ahead, in seconds.
    """
    if not is_clock_suspect(skew_s):
        return None
    skew = Span(abs(skew_s))
    return CLOCK.problem(OWN, since=now, **{"ahead" if skew_s > 0 else "behind": skew})


def doubled_problem(poller: str, hosts: Iterable[Host], *, since: datetime) -> Problem:
    """Return the problem of a poller that other daemons run too."""
    where = Name(", ".join(host.place for host in hosts))
    return DOUBLED.problem(OWN, poller, since=since, poller=Name(poller), host=where)


def configs_problem(others: Iterable[OtherConfig]) -> Problem | None:
    """Return the problem that the configs of daemons that share the state differ; None if they do not."""
    found = sorted(others, key=lambda other: other.since)
    if not found:
        return None
    where = Name(", ".join(place_of(other.host, other.folder) for other in found))
    return CONFIGS.problem(OWN, since=found[0].since, host=where)


def executor_problem(poller: str, reason: str, *, left: int, own: int, since: datetime) -> Problem:
    """Return the problem of workers: `left` targets were not checked, `own` were by this process instead.

    It is only a warning if all targets were checked.
    """
    problem = EXECUTOR.problem(
        OWN, since=since, poller=Name(poller), reason=reason, left=left or None, own=own or None
    )
    return problem if left else replace(problem, severity="warning")
