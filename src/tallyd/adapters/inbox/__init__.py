"""A folder into which others drop files: found once they are complete, read safely, put aside.

`folder.py` is the whole of it. A look is a sweep (`sweep.py`, with the rules of names in `names.py` and what
is remembered from look to look in `memory.py`); `watching.py` only wakes. A file is opened (`files.py`,
`opened.py`) and moved (`moving.py`) into `.tallyd` (`places.py`, `aside.py`, `rejects.py`, `pruning.py`),
which one daemon holds (`locking.py`). Decides nothing: what a file holds, and when to look, the caller says.
"""

from tallyd.adapters.inbox.folder import Folder
from tallyd.adapters.inbox.locking import InboxHeldError
from tallyd.adapters.inbox.rejects import Rejected

__all__ = ["Folder", "InboxHeldError", "Rejected"]
