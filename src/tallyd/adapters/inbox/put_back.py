"""Moves files from `.tallyd` back into the inbox."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.filenames import source_of
from tallyd.adapters.inbox.folders import OpenInbox, enter
from tallyd.adapters.inbox.rename import put_back
from tallyd.core.errors import InboxError
from tallyd.core.language.messages import english
from tallyd.core.texts import visible


def folders_of(inbox: OpenInbox, sources: Iterable[str], own_source: str) -> Mapping[str, str]:
    """Return the folder of each source ("" for the inbox itself), also of those to create.

    A source that is missing had a folder that is gone, and its exact name is not known.
    """
    plain = {one: one for one in sources if source_of(one) == one}
    with os.scandir(inbox.descriptor) as entries:
        there = {source_of(one.name): one.name for one in entries if one.is_dir(follow_symlinks=False)}
    return plain | there | {own_source: ""}


def moved_back(inbox: OpenInbox, own: int, name: str, folder: str) -> bool:
    """Move a file from an open folder of ours into a folder of the inbox. Return whether it was still there.

    Files in the inbox are not overwritten: the new one gets another name (`-2`). Raises `InboxError`.
    """
    if folder:
        with suppress(FileExistsError):
            os.mkdir(folder, dir_fd=inbox.descriptor)
    target = enter(inbox.descriptor, folder or ".")
    try:
        put_back(name, name, folder=own, new_folder=target)
    except FileNotFoundError:
        return False
    except OSError as error:
        text = english("{file} can't be moved back: {why}", file=visible(name), why=why(error))
        raise InboxError(text) from error
    finally:
        os.close(target)
    return True
