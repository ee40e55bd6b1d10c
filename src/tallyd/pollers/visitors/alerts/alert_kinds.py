"""The kinds of problems that the sweep of an inbox finds."""

from __future__ import annotations

from tallyd.core.alerts.alert_kind import AlertKind

INBOX = "inbox"
"""The subject of what concerns the inbox as a whole."""
DATABASE = "database"

NO_FILES = AlertKind(
    key="<poller>/<source>/no-files",
    severity="error",
    text="{source}: no file for {span}[, last {last}]{never:, none yet since tallyd watches}."
    "[{rest: The other source delivers| The other # sources deliver}: look at host {host}.]"
    "[ {delivering} of the other {others} sources {delivering:delivers|deliver}: look at host {host}.]"
    "{silent: No other source delivers either: look at the network, and at what drops the files.}"
    "[ Look at host {only}, and at the network.]"
    "[ Look at the network, and at what drops files into {inbox}.]",
    over="{source}: files come again",
    ends="a file comes, with any content",
    many="sources without files",
    subject="source",
    at_once=True,
)
INBOX_GONE = AlertKind(
    key="<poller>/inbox/inbox-gone",
    severity="error",
    text="{poller}: [nothing is mounted on the inbox {unmounted}, since {since}. "
    "Nothing is counted meanwhile. Mount it; what is dropped there meanwhile lies below the mount.]"
    "[the inbox {gone} is not there, since {since}. Nothing is counted meanwhile. "
    "Make it again, or mount what it is on; if tallyd does not see it then, restart tallyd.]",
    over="{poller}: the inbox is back",
    ends="the inbox is there again",
    many="inboxes gone",
    at_once=True,
)
UNREADABLE = AlertKind(
    key="<poller>/inbox/unreadable",
    severity="error",
    text="{poller}: {files:# file or folder|# files and folders} in the inbox can't be read or moved, since "
    "{since}: {name}: {reason}. "
    "Tried again every minute.",
    over="{poller}: everything in the inbox can be read and moved",
    ends="everything in the inbox can be read and moved",
    many="inboxes with files that can't be read or moved",
    at_once=True,
)
REJECTED = AlertKind(
    key="<poller>/<source>/rejected",
    severity="error",
    text="{source}: {all:the only file|all # files}{files:# file|# files} since {since} refused: "
    "[times {ahead} ahead. Set that host's clock]"
    "[the last one {too_large}. If such files are meant to come, raise max_bytes]"
    "[{too_old}. If they are meant to be counted, raise database.keep_days]"
    "[the last one {flaw}][{reason}][. What is wrong with each lies beside it in .tallyd/rejected/{folder}. "
    "Mend that host, or fields and time_format in the config]"
    ", then: {tallyd} replay --all --source {id}",
    over="{source}: files are taken again",
    ends="good files come and none was rejected for an hour, or a replay ingests the rejected ones",
    many="sources whose files are refused",
    subject="source",
)
UNREACHABLE = AlertKind(
    key="<poller>/database/unreachable",
    severity="error",
    text="{poller}: no file is taken since {since}: {reason}. Nothing is lost: files wait in the inbox, and "
    "are taken once that is mended. Look at the database, its disk and the way to it. "
    "To try: {tallyd} check --online",
    over="{poller}: files are taken again",
    ends="the database works, and its disk has room for the waiting files",
    many="databases that can't be used",
    at_once=True,
)
KINDS: tuple[AlertKind, ...] = (NO_FILES, INBOX_GONE, UNREADABLE, REJECTED, UNREACHABLE)
EVALUATES: frozenset[str] = frozenset(kind.what for kind in KINDS)
