"""Disks of a few kilobytes, in memory: full, read-only, gone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.needs import needs


@contextmanager
def disk(path: Path, *, size: str = "1m", inodes: int = 100) -> Iterator[Path]:
    """A disk in memory mounted on a folder; skips the test where nothing may be mounted."""
    needs("mount", root=True)
    mount(path, size=size, inodes=inodes)
    try:
        yield path
    finally:
        unmount(path)


def mount(path: Path, *, size: str = "1m", inodes: int = 100) -> None:
    """Mount an empty disk."""
    path.mkdir(exist_ok=True, parents=True)
    options = f"size={size},nr_inodes={inodes},mode=755"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"needs leave to mount: {done.stderr.strip()}")


def unmount(path: Path) -> None:
    """Take a disk away, even while it is in use; nothing happens where there is none."""
    subprocess.run(["umount", "--lazy", path], capture_output=True, check=False)


def remount(path: Path, how: str) -> None:
    """Mount it `ro` or `rw`."""
    subprocess.run(["mount", "-o", f"remount,{how}", path], check=True)


def filled(path: Path) -> Path:
    """Fill a disk to its last byte; return the file that fills it."""
    ballast = path / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return ballast


def filled_up_with_files(path: Path) -> Path:
    """Use all of a disk's inodes; return the folder that holds the files which do."""
    ballast = path / ".ballast"
    ballast.mkdir()
    try:
        for number in range(100_000):
            (ballast / str(number)).touch()
    except OSError:
        return ballast
    raise AssertionError("the disk is too large to be filled")
