"""The daemon in an order that loses or doubles counts: what a kill campaign must be able to find.

    python naive_daemon.py VARIANT --config PATH run

Everything is the real thing but for one class, which does what a first version of such a program does.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Literal

from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import State
from tallyd.cli.process.daemon_process import SIGNALS, Process
from tallyd.cli.process.equipment import make_folders
from tallyd.cli.shared import load_config, utc_now
from tallyd.config.jobs import Task
from tallyd.config.model import Config
from tallyd.core.naming import numbered, out_stem
from tallyd.core.out_document import document, file_text
from tallyd.core.reading import Reading, Slot
from tallyd.storage.store import Store
from tallyd.storage.store_result import StoreResult, heading_of


class FileFirst(Store):
    """Writes the out file, then stores the reading: killed in between, it writes another one."""

    def commit(
        self, task: Task, slot: Slot, readings: Sequence[Reading], *, by_daemon: bool
    ) -> tuple[StoreResult, ...]:
        (reading,) = readings
        heading = heading_of(task, slot, reading, by_daemon=by_daemon)
        names = (numbered(out_stem(slot.due_at, task.zone), number) for number in count(1))
        mine = next(name for name in names if not self.out.exists(task.poller, name))
        content = document(heading, reading.facts or {}, reading.problems)
        self.out.write(task.poller, mine, file_text(content))
        recorded = self.state.readings.record(
            task.ref, slot, [(reading, heading)], observations=None, is_taken=lambda name: name != mine
        )
        return tuple(StoreResult(reading=reading, out=out, is_stored=True) for out in recorded.outs)


class DoneFirst(Store):
    """Notes the slot as done, then fetches: killed in between, nobody knows that a count is missing."""

    def claim(self, task: Task, slot: Slot, mark: str | None) -> None:
        if mark is not None:
            self.state.slots.set_marks(*task.name, {mark: slot.due_at}, drop=frozenset())


class UnsyncedFiles(OutFiles):
    """Renames without an fsync: after a power cut the name may be there, and nothing in it."""

    def write(self, poller: str, name: str, text: str) -> Literal["written", "taken"]:
        self._put(self.root / poller / name, text)
        return "written"

    def write_latest(self, poller: str, text: str) -> None:
        self._put(self.root / poller / "latest.json", text)

    def _put(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(text)
        temporary.replace(path)


class NaiveProcess(Process):
    """The process with another store."""

    def __init__(self, config: Config, variant: str) -> None:
        super().__init__(config)
        self._folders = config.out_dir, config.state_dir
        self._variant = variant

    def open_store(self) -> Store:
        out_dir, state_dir = self._folders
        variants: dict[str, tuple[type[Store], type[OutFiles]]] = {
            "file-first": (FileFirst, OutFiles),
            "done-first": (DoneFirst, OutFiles),
            "unsynced": (Store, UnsyncedFiles),
        }
        store, out = variants[self._variant]
        # Nor does a first version look into out/ for what its database does not know.
        return store(State(state_dir / "state.db"), out(out_dir), now=utc_now)


def main() -> int:
    _program, variant, _option, path, _run = sys.argv
    config = load_config(Path(path))
    make_folders(config)
    (config.state_dir / "lock").write_text(f"{os.getpid()}\n")
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    return NaiveProcess(config, variant).run()


if __name__ == "__main__":
    sys.exit(main())
