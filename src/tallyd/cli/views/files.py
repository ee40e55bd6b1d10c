"""`tallyd files` and `tallyd replay`: show the ledger of files, and move rejected files back to the inbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeVar
from zoneinfo import ZoneInfo

from tallyd.adapters.inbox import Folder, Rejected
from tallyd.adapters.locks import holder
from tallyd.adapters.records.database import Database
from tallyd.cli.shared import load_config, utc_now, wrong_usage
from tallyd.config.model import Config
from tallyd.contract.passages import LedgerRow
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, EXIT_USAGE, InboxError, RecordsError
from tallyd.core.hosts import INBOX, WATCH
from tallyd.core.inbox_spec import InboxNeeded
from tallyd.core.language.formats import clock, size_text
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import english, mark, tr, translated, translation
from tallyd.core.naming import local_text
from tallyd.core.reading import Json
from tallyd.presentation.terminal import complain, progress_shown, say, show_json, show_table
from tallyd.settings.types import did_you_mean

STATES: Final = (mark("done"), mark("rejected"))
"""The words of `LedgerRow.state`, for the catalogs."""


@dataclass(frozen=True)
class _Counter:
    """A poller whose files are in the ledger, whichever host ingested them."""

    name: str
    zone: ZoneInfo


@dataclass(frozen=True)
class _Taker(_Counter):
    """A poller that ingests files itself, and its inbox."""

    needed: InboxNeeded
    path: Path

    @property
    def rejected_path(self) -> Path:
        return self.path / ".tallyd" / "rejected"

    def folder(self) -> Folder:
        return Folder(
            self.path,
            own_source=self.needed.source,
            pattern=self.needed.pattern,
            is_mount=self.needed.is_mount,
        )


T = TypeVar("T", bound=_Counter)


def files(path: Path, *, poller: str | None, rejected: bool, most: int, as_json: bool) -> int:
    """Show the newest files that were ingested or rejected, newest first; return the exit status.

    With `rejected`, show the files in `.tallyd/rejected`, by the names that `replay` accepts. Raises
    `ConfigError`.
    """
    config = load_config(path, lenient=True)
    show: list[tuple[str, Callable[[datetime], list[Json]]]]
    if rejected:
        show = [(each.name, partial(_show_rejected, each, most, as_json)) for each in _takers(config, poller)]
    else:
        show = [
            (each.name, partial(_show_ledger, config, each, most, as_json))
            for each in _chosen(_counters(config), poller)
        ]
    with reading_in("en" if as_json else config.settings.language):
        return _files(show, as_json=as_json)


def _files(show: Sequence[tuple[str, Callable[[datetime], list[Json]]]], *, as_json: bool) -> int:
    now, status = utc_now(), EXIT_OK
    content: list[Json] = []
    for name, show_one in show:
        try:
            content += show_one(now)
        except (RecordsError, InboxError) as error:
            complain(f"{name}: {translated(error.text)}")
            status = EXIT_PROBLEM
    if as_json:
        show_json(content)
    return status


def replay(path: Path, names: Sequence[str], *, every: bool, source: str | None, poller: str | None) -> int:
    """Move rejected files back to the inbox; return the exit status. Raises `ConfigError`."""
    if every == bool(names):
        complain("tallyd: name the files (list them with: {tallyd} files --rejected), or give --all")
        return EXIT_USAGE
    config = load_config(path, lenient=True)
    takers = _takers(config, poller)
    if names and len(takers) > 1:
        inboxes = ", ".join(one.name for one in takers)
        complain(f"tallyd: several pollers have an inbox; add --poller and one of: {inboxes}")
        return EXIT_USAGE
    with reading_in(config.settings.language):
        return _replay(config, takers, "all" if every else frozenset(names), source)


def _replay(
    config: Config, takers: Sequence[_Taker], names: frozenset[str] | Literal["all"], source: str | None
) -> int:
    status = EXIT_OK
    for taker in takers:
        try:
            with closing(taker.folder()) as folder, progress_shown(tr("moving back")) as show:
                moved = folder.replay(names, source=source, show_progress=show)
        except InboxError as error:
            complain(f"{taker.name}: {translated(error.text)}")
            status = EXIT_PROBLEM
            continue
        _say_moved(config, taker, len(moved), source)
    return status


def _say_moved(config: Config, taker: _Taker, count: int, source: str | None) -> None:
    if not count:
        say(_no_rejected(taker, source))
        return
    values = {"poller": taker.name, "files": count, "source": source, "folder": taker.path}
    if holder(config.state_dir / "lock") is not None:
        text = tr(
            "{poller}: {files:# file|# files}[ of {source}] moved back to {folder}; tallyd ingests them now",
            **values,
        )
    else:
        text = tr(
            "{poller}: {files:# file|# files}[ of {source}] moved back to {folder}; to ingest them: "
            "{tallyd} once {poller}",
            **values,
        )
    say(text, style="fine")


def _takers(config: Config, asked: str | None) -> list[_Taker]:
    """Return the pollers that ingest files, or only the one asked for; ends the command if there is none."""
    found = [
        _Taker(name, config.effective(name).zone, needed, config.data_dir / needed.path)
        for name, poller in config.settings.pollers.items()
        if (needed := poller.inbox_needed(name)) is not None
    ]
    if not found and _counters(config):
        wrong_usage("rejected files stay on the hosts that ingest them; run this command there")
    return _chosen(found, asked)


def _counters(config: Config) -> list[_Counter]:
    """Return the pollers whose files are in the ledger."""
    return [
        _Counter(name, config.effective(name).zone)
        for name, poller in config.settings.pollers.items()
        if poller.duties & {INBOX, WATCH}
    ]


def _chosen(found: list[T], asked: str | None) -> list[T]:
    """Return all of them, or only the one asked for; ends the command if there is none."""
    names = tuple(one.name for one in found)
    if not found:
        wrong_usage("no poller in the config ingests files")
    if asked is not None and asked not in names:
        known = did_you_mean(asked, names) or f"; these do: {', '.join(names)}"
        wrong_usage(f'there is no poller "{asked}" that ingests files{known}')
    return [one for one in found if asked in (None, one.name)]


# -- output -------------------------------------------------------------------------------------------------


def _show_ledger(config: Config, taker: _Counter, most: int, as_json: bool, now: datetime) -> list[Json]:
    with closing(Database(config.database_url)) as database:
        if database.revision() is None:
            raise RecordsError(english("no file was ingested yet; the database has no tables"))
        rows = database.records(taker.name).ledger(rejected=False, most=most)
    if as_json:
        return [_row_json(taker, row) for row in rows]
    text = _newest(len(rows), most) if rows else tr("no file was ingested yet")
    say(tr("[{heading}: ]{text}", heading=taker.name, text=text))
    if rows:
        shown = [
            (
                clock(row.ingested_at, taker.zone, now=now),
                row.source,
                row.name,
                size_text(row.size),
                row.records,
                translation(row.state),
                translated(row.reason or ""),
            )
            for row in rows
        ]
        show_table(
            (tr("at"), tr("source"), tr("file"), tr("size"), tr("records"), tr("state"), tr("reason")),
            shown,
            right=frozenset({3, 4}),
            prose=frozenset({6}),
            vital=frozenset({2, 5}),
            see=tr("--wide, or --json"),
        )
    return []


def _show_rejected(taker: _Taker, most: int, as_json: bool, now: datetime) -> list[Json]:
    with closing(taker.folder()) as folder:
        lying = folder.rejected_files(most=most)
    if as_json:
        return [_rejected_json(taker, one) for one in lying]
    if not lying:
        say(_no_rejected(taker), style="fine")
        return []
    text = tr(
        "{poller}: {files} in {folder}",
        poller=taker.name,
        files=_newest(len(lying), most),
        folder=taker.rejected_path,
    )
    say(text)
    shown = [
        (clock(one.rejected_at, taker.zone, now=now), one.name, size_text(one.size), _reason(one))
        for one in lying
    ]
    show_table(
        (tr("rejected"), tr("file"), tr("size"), tr("reason")),
        shown,
        right=frozenset({2}),
        prose=frozenset({3}),
        see=tr("--wide, or --json"),
    )
    say(tr("Move them back with: {tallyd} replay FILE... (or --all)"), style="quiet")
    return []


def _newest(count: int, most: int) -> str:
    if count == most:
        return tr("the newest {count} files", count=count)
    return tr("{files:# file|# files}", files=count)


def _no_rejected(taker: _Taker, source: str | None = None) -> str:
    return tr(
        "{poller}: no rejected file[ of {source}] in {folder}",
        poller=taker.name,
        source=source,
        folder=taker.rejected_path,
    )


def _reason(one: Rejected) -> str:
    reason = (one.reason or {}).get("reason")
    if isinstance(reason, str):
        return translated(reason)
    return tr("unknown: the reason file is missing or unreadable")


def _row_json(taker: _Counter, row: LedgerRow) -> Json:
    return {
        "poller": taker.name,
        "source": row.source,
        "name": row.name,
        "sha256": row.sha256,
        "size": row.size,
        "records": row.records,
        "state": row.state,
        "reason": row.reason,
        "ingested_at": local_text(row.ingested_at, taker.zone),
    }


def _rejected_json(taker: _Taker, one: Rejected) -> Json:
    return {
        "poller": taker.name,
        "source": one.source,
        "name": one.name,
        "size": one.size,
        "rejected_at": local_text(one.rejected_at, taker.zone),
        "reason": dict(one.reason) if one.reason else None,
    }
