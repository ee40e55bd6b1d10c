"""The kinds of problems that the sweep of an inbox finds."""

from __future__ import annotations

from tallyd.core.kinds import AlertKind

INBOX = "inbox"
"""The subject of what concerns the inbox as a whole."""
DATABASE = "database"

NO_FILES = AlertKind(
    key="<poller>/<source>/no-files",
    severity="error",
    text="{source}: no file for {span}, {last}. {advice}",
    over="{source}: files come again",
    ends="a file comes, whatever is in it",
    many="sources without files",
    at_once=True,
)
INBOX_GONE = AlertKind(
    key="<poller>/inbox/inbox-gone",
    severity="error",
    text="{poller}: {fault}, since {begun}. Nothing is counted meanwhile. {advice}",
    over="{poller}: the inbox is back",
    ends="the inbox is there again",
    many="inboxes gone",
    at_once=True,
)
UNREADABLE = AlertKind(
    key="<poller>/inbox/unreadable",
    severity="error",
    text="{poller}: {what} in the inbox can't be read or moved, since {begun}: {name}: {reason}. "
    "Tried again every minute.",
    over="{poller}: everything in the inbox can be read and moved",
    ends="everything in the inbox can be read and moved",
    many="inboxes with files that can't be read or moved",
    at_once=True,
)
REJECTED = AlertKind(
    key="<poller>/<source>/rejected",
    severity="error",
    text="{source}: {files} since {begun} refused: {reason}. {advice}",
    over="{source}: files are taken again",
    ends="good files come and none was refused for an hour, or those that were are taken by a replay",
    many="sources whose files are refused",
)
UNREACHABLE = AlertKind(
    key="<poller>/database/unreachable",
    severity="error",
    text="{poller}: no file is taken since {begun}: {reason}. Nothing is lost: files wait in the inbox, and "
    "are taken once that is mended. {advice}",
    over="{poller}: files are taken again",
    ends="the database can be used, and its disk has room for what waits",
    many="databases that can't be used",
    at_once=True,
)
KINDS: tuple[AlertKind, ...] = (NO_FILES, INBOX_GONE, UNREADABLE, REJECTED, UNREACHABLE)
JUDGES: frozenset[str] = frozenset(kind.what for kind in KINDS)
