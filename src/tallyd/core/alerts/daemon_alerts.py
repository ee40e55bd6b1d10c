"""The problems of the daemon itself, such as its clock, its config, its disk and its channels."""

from __future__ import annotations

from datetime import datetime

from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.rules import OWN
from tallyd.core.alerts.values import Span
from tallyd.core.out_document import is_clock_suspect
from tallyd.core.reading import Problem

CLOCK = AlertKind(
    key="tallyd/clock",
    severity="warning",
    text="this machine's clock is [{ahead} ahead of][{behind} behind] the clock of a source. "
    "Readings get wrong times (clock_suspect). Check the clock with: timedatectl",
    over="this machine's clock is correct again",
    ends="a source whose clock differs by less than a minute",
    short="clock wrong",
    many="clocks",
)
CONFIG = AlertKind(
    key="tallyd/config",
    severity="error",
    text="the config file was rejected: {reason}. Fix it; tallyd reloads it automatically. "
    "Changes that need a restart apply at the next start.",
    over="the config file is valid",
    ends="the config file is active, or becomes active",
    short="config rejected",
    many="configs",
)
STATE = AlertKind(
    key="tallyd/state",
    severity="error",
    text="cannot write {reason}, since {since}. Sent from memory; new readings are only in memory, and are "
    "lost if tallyd stops. Check the disk (SD card).",
    over="state.db is writable",
    ends="state.db is writable, and everything from memory is in it",
    short="state.db not writable",
    many="databases",
)
DAMAGED = AlertKind(
    key="tallyd/damaged",
    severity="error",
    text="state.db was damaged. tallyd moved it to {file} and created a new one from the readings in out/. "
    "Check the disk (SD card), then delete that file.",
    over="the damaged state.db was deleted",
    ends="somebody deletes the damaged file",
    short="state.db damaged",
    many="databases",
)
OUT = AlertKind(
    key="tallyd/out",
    severity="error",
    text="{reason}. Readings stay in state.db until tallyd can write the files. "
    "Check the disk and the permissions of the folder.",
    over="out/ is writable and has every reading",
    ends="every reading is written to out/",
    short="out/ not writable",
    many="folders",
)
LOG = AlertKind(
    key="tallyd/log",
    severity="warning",
    text="{reason}",
    over="the log is writable",
    ends="the log is writable, and can be rotated",
    short="log not writable",
    many="logs",
)
WEB = AlertKind(
    key="tallyd/web",
    severity="warning",
    text="the page is not available since {since}: {reason}. Counting goes on; tallyd retries every minute.",
    over="the page is available",
    ends="the page is available",
    short="page not available",
    many="pages",
)
PART_CRASHED = AlertKind(
    key="tallyd/<part>/crashed",
    severity="error",
    text="tallyd itself failed ({reason}) in: {part}. Everything else continues, and tallyd retries this. "
    "The log has the traceback; please report it.",
    over="works again: {part}",
    ends="the part works again",
    short="tallyd itself failed",
    many="failed parts of tallyd",
)
UNDELIVERED = AlertKind(
    key="tallyd/<channel>/undelivered",
    severity="error",
    text="channel {channel} has not accepted messages since {since}: {reason}. tallyd retries; missed alerts "
    "follow once it does. Test it with: {tallyd} notify {channel}",
    over="channel {channel} accepts messages",
    ends="the channel accepts a message",
    short="messages not accepted",
    many="channels that do not accept messages",
)
NETWORK = AlertKind(
    key="tallyd/network",
    severity="error",
    text="no other machine answers since {since}: {targets} targets on {hosts} hosts. Check the network of "
    "this machine. Messages about single targets wait until one answers.",
    over="the network works again",
    ends="a target on another machine answers",
    short="no other machine answers",
    many="networks",
)
OWN_KINDS = (CLOCK, NETWORK, CONFIG, STATE, DAMAGED, OUT, LOG, WEB, PART_CRASHED, UNDELIVERED)
"""The kinds for the daemon itself."""


def clock_suspect(skew_s: float, *, now: datetime) -> Problem | None:
    """Return the problem of a clock that a source contradicts; None while they agree to a minute.

    `skew_s` is how far our clock is ahead, in seconds.
    """
    if not is_clock_suspect(skew_s):
        return None
    skew = Span(abs(skew_s))
    return CLOCK.problem(OWN, since=now, **{"ahead" if skew_s > 0 else "behind": skew})
