"""The kinds of problems that the sweep of an inbox finds, and a centre's watch."""

from __future__ import annotations

from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.language.messages import mark

INBOX = "inbox"
"""The subject of problems of the inbox as a whole."""
DATABASE = "database"

NO_FILES = AlertKind(
    key="<poller>/<source>/no-files",
    severity="error",
    text=mark(
        "{source}: no file for {span}[, last {last}]{never:, none since tallyd started to watch}."
        "[{rest: The other source delivers| The other # sources deliver}: look at host {host}.]"
        "[ {delivering} of the other {others} sources {delivering:delivers|deliver}: look at host {host}.]"
        "{silent: No other source delivers either: check the network and the program that writes the files.}"
        "[ Check host {only} and the network.]"
        "[ Check the network and the program that writes files into {inbox}.]"
        "[ Host {runs} runs: check the camera, and the program that writes its files there.]"
        "[ On host {away}: {why}.]"
        "[ Host {gone} has not been seen since {beat}: check that machine, its network and its tallyd.]"
        "[ tallyd does not run on host {stopped}: start it there.]"
        "{undelivered: No host has delivered it: check the inboxes of the hosts, and the names in them.}"
        "[ These hosts run: {running}.][ These do not: {lost}.]"
    ),
    over=mark("{source}: files arrive again"),
    ends=mark("a file arrives, with any content"),
    short=mark("no files"),
    many=mark("sources without files"),
    subject="source",
    at_once=True,
)
INBOX_GONE = AlertKind(
    key="<poller>/inbox/inbox-gone",
    severity="error",
    text=mark(
        "{poller}: [nothing has been mounted on the inbox {unmounted} since {since}, so nothing is counted. "
        "Mount it. Files written there before that will be hidden below the mount.]"
        "[the inbox {gone} has been missing since {since}, so nothing is counted. "
        "Create it again, or mount its disk. If tallyd still does not see it, restart tallyd.]"
    ),
    over=mark("{poller}: the inbox is back"),
    ends=mark("the inbox is there again"),
    short=mark("inbox gone"),
    many=mark("inboxes gone"),
    at_once=True,
)
UNREADABLE = AlertKind(
    key="<poller>/inbox/unreadable",
    severity="error",
    text=mark(
        "{poller}: {files:# file or folder|# files and folders} in the inbox cannot be read or moved, since "
        "{since}: {name}: {reason}. tallyd retries every minute."
    ),
    over=mark("{poller}: everything in the inbox can be read and moved"),
    ends=mark("everything in the inbox can be read and moved"),
    short=mark("files unreadable"),
    many=mark("inboxes with files that cannot be read or moved"),
    at_once=True,
)
REJECTED = AlertKind(
    key="<poller>/<source>/rejected",
    severity="error",
    text=mark(
        "{source}: {all:the only file|all # files}{files:# file|# files} since {since} rejected: "
        "[times {ahead} ahead. Set that host's clock]"
        "[the last one {too_large}. If such files are expected, raise max_bytes]"
        "[{too_old}. If such files should count, raise database.keep_days]"
        "[the last one {flaw}][{reason}][. Reasons: .tallyd/rejected/{folder}/*.reason.json in the inbox. "
        "Fix that host, or fields and time_format in the config]"
        ", then[: {tallyd} replay --all --source {id}][ on host {on}: tallyd replay --all --source {there}]"
    ),
    over=mark("{source}: good files arrive again"),
    ends=mark("good files arrive and none was rejected for an hour, or a replay ingests the rejected ones"),
    short=mark("files rejected"),
    many=mark("sources with rejected files"),
    subject="source",
)
UNREACHABLE = AlertKind(
    key="<poller>/database/unreachable",
    severity="error",
    text=mark(
        "{poller}: [no file ingested since {since}: {reason}. Nothing is lost: files wait in the inbox until "
        "this is fixed.][nothing known of the files of other hosts since {unknown}: {why}. Nothing is lost: "
        "files wait in their inboxes until this is fixed.] Check the database, its disk and the network. "
        "Test it with: {tallyd} check --online"
    ),
    over=mark("{poller}: the database works again"),
    ends=mark("the database works, and its disk has room for the waiting files"),
    short=mark("database unavailable"),
    many=mark("unavailable databases"),
    at_once=True,
)
WRONG_CLOCK = AlertKind(
    key="<poller>/<host>/clock",
    severity="warning",
    text=mark(
        "{host}: its clock is [{ahead} ahead of][{behind} behind] the clock of the database. Files may be "
        "rejected or counted at a wrong time. Set it, and check it with: timedatectl"
    ),
    over=mark("{host}: its clock is right again"),
    ends=mark("the clock of the host differs from the database's by less than a minute"),
    short=mark("wrong clock"),
    many=mark("hosts with a wrong clock"),
    subject="host",
)
KINDS: tuple[AlertKind, ...] = (NO_FILES, INBOX_GONE, UNREADABLE, REJECTED, UNREACHABLE, WRONG_CLOCK)
EVALUATES: frozenset[str] = frozenset(kind.what for kind in KINDS)
WATCHES: frozenset[str] = EVALUATES - {INBOX_GONE.what, UNREADABLE.what}
"""What a centre can find: it has no inbox."""
