"""`tallyd run`: the config, the folders and the lock, then the process."""

from __future__ import annotations

import signal
from pathlib import Path

from tallyd.adapters.locks import FileLock, LockedError
from tallyd.cli.process.daemon_process import SIGNALS, Process
from tallyd.cli.process.equipment import look_closely, make_folders
from tallyd.cli.shared import load_config
from tallyd.core.errors import EXIT_PROBLEM
from tallyd.presentation.terminal import complain


def run(path: Path) -> int:
    """Run the daemon until SIGTERM or SIGINT; return the exit status. Raises `ConfigError`."""
    config = load_config(path, closely=look_closely)
    make_folders(config)
    # Before any thread exists: every thread inherits the mask.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    lock = FileLock(config.state_dir / "lock")
    try:
        lock.take()
    except LockedError as error:
        who = f"process {error.pid}" if error.pid else "another process"
        complain(f"tallyd: {who} already uses {config.state_dir}; a second daemon would count twice")
        return EXIT_PROBLEM
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        complain(
            f"tallyd: cannot write {config.state_dir}: {reason}. "
            "Check the disk (SD card) and the owner of the folder; nothing started."
        )
        return EXIT_PROBLEM
    with lock:
        return Process(config).run()
