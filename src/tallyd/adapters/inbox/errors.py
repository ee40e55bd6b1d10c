"""Why a file or a folder can't be used, and what to do about it."""

from __future__ import annotations

import errno

from tallyd.core.language.messages import english, mark_english
from tallyd.core.system_words import reason_of

_WITH_ADVICE = {
    errno.EACCES: mark_english("{why}; let the user of tallyd read and write the folder and read its files"),
    errno.EPERM: mark_english(
        "{why}; let the user of tallyd write the folder (no sticky bit, no immutable files)"
    ),
    errno.EROFS: mark_english("{why}; mount it writable; in the service: sudo tallyd service allow PATH"),
    errno.ENOSPC: mark_english("{why}; free space on that disk"),
    errno.EDQUOT: mark_english("{why}; free space, or raise the quota"),
    errno.EIO: mark_english("{why}; look at the disk or the share"),
    errno.EXDEV: mark_english(
        "{why}; it and .tallyd are two mounts, even of one disk: mount or bind the whole inbox, nothing below"
    ),
}


def why(error: OSError) -> str:
    """Return the reason without the path, and what to do about it if that is known."""
    return english(_WITH_ADVICE.get(error.errno or 0, "{why}"), why=reason_of(error))
