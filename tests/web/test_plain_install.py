"""tallyd without the libraries of its extras, as a plain `pip install` has it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from support.daemon import Daemon, wait_until, write_config
from support.one_python import answers_in_one_python
from support.plain_install import plain_install, site_packages

pytestmark = pytest.mark.slow  # two installs, and each start is that of a new Python

WEB = {"listen": "127.0.0.1:0"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plain_install(tmp_path_factory.mktemp("plain"))


def config(folder: Path, **more: Any) -> Path:
    return write_config(folder, {"name": "pi", "timezone": "UTC", "pollers": {}, **more})


def said(python: Path, path: Path, *commands: str) -> list[tuple[int, str]]:
    """Return the exit status of each command, and what it said."""
    words = [("--config", str(path), command) for command in commands]
    answers = answers_in_one_python(*words, python=python, cwd=path.parent)
    return [(done.returncode, done.stdout + done.stderr) for done in answers]


def test_check_says_of_a_page_what_run_says(plain: Path, tmp_path: Path) -> None:
    path = config(tmp_path, web=WEB)
    (status, checked), ran = said(plain, path, "check", "run")
    assert (status, checked.startswith("config.json: web: needs a library that is not installed (")) == (
        78,
        True,
    )
    assert checked.endswith(
        '). Install tallyd with the libraries for the page (pip install "tallyd[web]"), or remove `web` '
        "(1 of 1 problem)\n"
    )
    text = checked.removesuffix(")\n")
    assert ran == (78, f"{text}; nothing started)\n")
    assert "state" not in [each.name for each in tmp_path.iterdir()], "nothing is begun"


def test_without_a_page_it_runs_and_rejects_one_that_is_added(plain: Path, tmp_path: Path) -> None:
    path = config(tmp_path)
    daemon = Daemon(path, python=plain)
    try:
        daemon.wait_ready()
        config(tmp_path, web=WEB)
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "config rejected" in daemon.stderr.read_text(), what="the refusal")
        assert "config.json: web: needs a library that is not installed (" in daemon.stderr.read_text()
        config(tmp_path)
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "config loaded" in daemon.stderr.read_text(), what="the config without a page")
        assert daemon.end() == 0
    finally:
        daemon.kill()
        daemon.close()


@pytest.mark.parametrize(
    ("url", "missing"),
    [
        ("postgresql+psycopg://park:canary-pw-5f1c@127.0.0.1/park", "PostgreSQL needs psycopg"),
        ("mysql+pymysql://park:canary-pw-5f1c@127.0.0.1/park", "MariaDB and MySQL need PyMySQL"),
    ],
)
def test_check_says_of_a_database_what_run_says(plain: Path, tmp_path: Path, url: str, missing: str) -> None:
    pollers = {"park": {"kind": "visitors", "inbox": "inbox"}}
    path = config(tmp_path, database={"url": url}, pollers=pollers)
    for status, text in said(plain, path, "check", "run"):
        assert status == 78
        assert f"config.json: database.url: {missing}, which is not installed: pip install 'tallyd[" in text
        assert "canary" not in text


def test_a_driver_that_nobody_needs_is_not_missed(plain: Path, tmp_path: Path) -> None:
    path = config(tmp_path, database={"url": "postgresql+psycopg://park@127.0.0.1/park"})
    ((status, _),) = said(plain, path, "check")
    assert status == 0


@pytest.fixture(scope="module")
def full(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plain_install(tmp_path_factory.mktemp("full"), extras=frozenset({"web"}), like=plain)


@pytest.mark.parametrize("library", ["jinja2", "prometheus_client", "uvicorn"])
def test_each_library_of_the_page_is_missed_before_anything_is_served(
    library: str, full: Path, tmp_path: Path
) -> None:
    there, away = site_packages(full) / library, tmp_path / "away"
    there.rename(away)
    try:
        ((status, text),) = said(full, config(tmp_path, web=WEB), "check")
    finally:
        away.rename(there)
    assert (status, f"web: needs a library that is not installed ({library})" in text) == (78, True), text


def test_with_all_of_them_nothing_is_missed(full: Path, tmp_path: Path) -> None:
    ((status, text),) = said(full, config(tmp_path, web=WEB), "check")
    assert (status, "is fine" in text) == (0, True), text
