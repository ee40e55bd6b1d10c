"""A folder into which other programs drop files. It finds complete files, reads them safely and moves them
away.

Start with `inbox.py`. `scan.py` looks into the folder; `filenames.py` has the rules for names, and
`tracking.py` remembers files from look to look. `watcher.py` only wakes the job. `file_ops.py` and
`open_file.py` open files. `rename.py` moves them into `.tallyd`, which `folders.py`, `quarantine.py`,
`rejected.py` and `retention.py` manage and `lock.py` locks for one daemon; `put_back.py` moves
them back. `incoming.py` writes files that are sent to tallyd. The caller decides what a file
contains and when to look.
"""

from tallyd.adapters.inbox.inbox import Folder
from tallyd.adapters.inbox.incoming import Incoming
from tallyd.adapters.inbox.lock import InboxHeldError
from tallyd.adapters.inbox.rejected import Rejected

__all__ = ["Folder", "InboxHeldError", "Incoming", "Rejected"]
