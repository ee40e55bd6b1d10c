"""Why a file or a folder can't be used, and what to do about it."""

from __future__ import annotations

import errno

_TO_DO = {
    errno.EACCES: "let the user of tallyd read and write the folder and read its files",
    errno.EPERM: "let the user of tallyd write the folder (no sticky bit, no immutable files)",
    errno.EROFS: "mount it writable; in the service: sudo sh setup.sh allow PATH",
    errno.ENOSPC: "free space on that disk",
    errno.EDQUOT: "free space, or raise the quota",
    errno.EIO: "look at the disk or the share",
    errno.EXDEV: (
        "it and .tallyd are two mounts, even of one disk: mount or bind the whole inbox, nothing below"
    ),
}


def why(error: OSError) -> str:
    """Return the reason without the path, and what to do about it if that is known."""
    reason = (error.strerror or type(error).__name__).lower()
    to_do = _TO_DO.get(error.errno or 0)
    return f"{reason}; {to_do}" if to_do else reason
