"""A folder into which others drop files: found once they are complete, read safely, moved away.

Start with `inbox.py`. `scan.py` looks into the folder (`filenames.py` has the rules of names, `tracking.py`
remembers files from look to look); `watcher.py` only wakes. `file_ops.py` and `open_file.py` open a file,
`rename.py` moves it into `.tallyd` (`folders.py`, `quarantine.py`, `rejected.py`, `retention.py`), which one
daemon holds (`lock.py`). Nothing is decided here: the caller says what a file holds, and when to look.
"""

from tallyd.adapters.inbox.inbox import Folder
from tallyd.adapters.inbox.lock import InboxHeldError
from tallyd.adapters.inbox.rejected import Rejected

__all__ = ["Folder", "InboxHeldError", "Rejected"]
