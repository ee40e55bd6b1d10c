"""Retention: deletes done files by their day, rejected ones by the time of their rejection."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from datetime import date, datetime
from itertools import islice

from tallyd.adapters.inbox.filenames import REASON
from tallyd.adapters.inbox.folders import OpenInbox, enter, names_in
from tallyd.adapters.inbox.incoming import INCOMING
from tallyd.adapters.inbox.quarantine import DONE, GOING, REJECTED
from tallyd.adapters.inbox.rejected import RejectedFiles


class InboxRetention:
    """Deletes old files of an open inbox. Raises `InboxError`, OSError."""

    def __init__(self, rejected_files: RejectedFiles) -> None:
        self._rejected_files = rejected_files

    def prune(self, inbox: OpenInbox, *, done_before: date, rejected_before: datetime, most: int) -> int:
        """Delete at most `most` files; return how many.

        Files that can't be deleted now are tried again later.
        """
        before_ns = int(rejected_before.timestamp() * 1e9)
        deleted = self._done(inbox, done_before, most)
        deleted += self._rejected(inbox, before_ns, most - deleted)
        for folder in (GOING, INCOMING):
            deleted += self._left_behind(inbox, folder, before_ns, most - deleted)
        return deleted

    def _done(self, inbox: OpenInbox, before: date, most: int) -> int:
        deleted = 0
        with suppress(FileNotFoundError):
            done = inbox.own(DONE, make=False)
            for day in sorted(name for name in names_in(done) if _is_before(name, before)):
                with suppress(NotADirectoryError, FileNotFoundError):
                    deleted += _empty(done, day, most - deleted)
                if deleted >= most:
                    break
        return deleted

    def _rejected(self, inbox: OpenInbox, before_ns: int, most: int) -> int:
        deleted = 0
        old = (one for one in self._rejected_files.entries(inbox) if one.since_ns < before_ns)
        for one in islice(old, most):
            folder = inbox.own(REJECTED, one.source, make=False)
            deleted += _unlink(one.name, folder)
            # The reason last: one without its file is found again, but a file without its reason looks newer.
            _unlink(one.name + REASON, folder)
        return deleted

    def _left_behind(self, inbox: OpenInbox, own: str, before_ns: int, most: int) -> int:
        """Delete files that a killed process was about to delete, or had not received whole."""
        deleted = 0
        with suppress(FileNotFoundError):
            folder = inbox.own(own, make=False)
            for name in names_in(folder)[:most]:
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if found.st_ctime_ns < before_ns:
                    deleted += _unlink(name, folder)
        return deleted


def _is_before(name: str, before: date) -> bool:
    try:
        return date.fromisoformat(name) < before and len(name) == len("2026-11-20")
    except ValueError:
        return False


def _empty(parent: int, name: str, most: int) -> int:
    """Delete at most `most` files in a folder and its sub-folders, then the empty folders."""
    deleted = 0
    folder = enter(parent, name)
    try:
        for inner in names_in(folder):
            if deleted >= most:
                return deleted
            if stat.S_ISDIR(os.stat(inner, dir_fd=folder, follow_symlinks=False).st_mode):
                deleted += _empty(folder, inner, most - deleted)
            else:
                deleted += _unlink(inner, folder)
    finally:
        os.close(folder)
    with suppress(OSError):  # not empty yet
        os.rmdir(name, dir_fd=parent)
    return deleted


def _unlink(name: str, folder: int) -> int:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        return 0
    return 1
