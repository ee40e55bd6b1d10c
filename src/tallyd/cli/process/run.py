"""`tallyd run`: the config, the folders and the lock, then the process."""

from __future__ import annotations

import signal
from pathlib import Path

from tallyd.adapters.locks import FileLock, LockedError
from tallyd.cli.process.daemon_process import SIGNALS, Process
from tallyd.cli.process.equipment import look_closely, make_folders
from tallyd.cli.shared import load_config, process_text
from tallyd.config.model import Config
from tallyd.core.errors import EXIT_PROBLEM
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import tr, translated
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
    except (LockedError, OSError) as error:
        with reading_in(config.settings.language):
            complain(f"tallyd: {_why_not_locked(error, config)}")
        return EXIT_PROBLEM
    with lock:
        return Process(config).run()


def _why_not_locked(error: LockedError | OSError, config: Config) -> str:
    if isinstance(error, LockedError):
        return tr(
            "{who} already uses {folder}; a second daemon would count twice",
            who=process_text(error),
            folder=config.state_dir,
        )
    return tr(
        "cannot write {folder}: {reason}. Check the disk (SD card) and the owner of the folder; nothing "
        "started.",
        folder=config.state_dir,
        reason=translated((error.strerror or type(error).__name__).lower()),
    )
