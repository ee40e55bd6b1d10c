"""No secret reaches a log line, at any level, from any library, in any spelling or uncaught exception."""

from __future__ import annotations

import base64
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
import requests

from support.logs import OWN, lines_of, logging_to

KEY = "aCc/ss+Key 4\"7'11"
KEY_IN_BASE64 = [base64.b64encode(b"\0" * offset + KEY.encode()).decode()[4:12] for offset in range(3)]
LEAKS = [KEY, "Key 4", "Key%204", "Key+4", *KEY_IN_BASE64]
NOISY = [
    "urllib3",
    "urllib3.connectionpool",
    "requests",
    "charset_normalizer",
    "schedule",
    "apprise",
    "asyncio",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "tallyd.log"


@pytest.mark.parametrize(
    "say",
    [
        pytest.param(lambda: OWN.debug("at every level", extra={"key": KEY}), id="data at DEBUG"),
        pytest.param(lambda: OWN.error("key is %s", KEY), id="message"),
        pytest.param(lambda: OWN.info("x", extra={KEY: 1}), id="name of data"),
        pytest.param(lambda: OWN.info("x", extra={"deep": {"er": [KEY, {KEY: KEY}]}}), id="nested"),
        pytest.param(lambda: OWN.info("x", extra={"key": KEY.encode()}), id="bytes"),
        pytest.param(lambda: OWN.info("x", extra={"key": repr(KEY.encode())}), id="repr of bytes"),
        pytest.param(lambda: OWN.info("x", extra={"key": json.dumps(json.dumps(KEY))}), id="JSON in JSON"),
        pytest.param(
            lambda: OWN.info("x", extra={"key": base64.b64encode(f"user:{KEY}".encode())}), id="basic auth"
        ),
        pytest.param(
            lambda: logging.getLogger("urllib3.connectionpool").warning(
                "Failed to parse headers (url=%s): %s",
                requests.Request(params={"k": KEY}, url="http://h/").prepare().url,
                "x",
            ),
            id="a library's url",
        ),
        pytest.param(lambda: OWN.error("x", exc_info=ValueError(f"no {KEY}")), id="exception"),
        pytest.param(lambda: OWN.error("x", extra={"error": KeyError(KEY)}), id="exception as data"),
        pytest.param(lambda: warnings.warn(f"{KEY} is old", UserWarning, stacklevel=1), id="warning"),
    ],
)
def test_no_secret_reaches_a_line(path: Path, say: Callable[[], None]) -> None:
    with (
        logging_to(path, level="DEBUG", secrets=[KEY], stream=(stream := StringIO())),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("always")
        say()
    for text in (path.read_text(), stream.getvalue()):
        assert "***" in text
        assert not [leak for leak in LEAKS if leak in text]
    assert len(lines_of(path)) == 1


def test_a_key_in_a_url_that_urllib3_complains_about_is_hidden(path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n: no name\r\n\r\n")

        threading.Thread(target=answer).start()
        with logging_to(path, level="DEBUG", secrets=["sEcret+key/4711"]):
            url = f"http://127.0.0.1:{server.getsockname()[1]}/users"
            requests.get(url, params={"accesskey": "sEcret+key/4711"}, timeout=10)
    (line,) = lines_of(path)
    assert line["event"].startswith("Failed to parse headers (url=http://127.0.0.1:")
    assert "/users?accesskey=***" in line["event"]


@pytest.mark.parametrize("name", NOISY)
def test_a_library_logs_nothing_below_warning_even_with_its_own_level(path: Path, name: str) -> None:
    library = logging.getLogger(name)
    before = library.level
    library.setLevel(logging.DEBUG)
    try:
        with logging_to(path, level="DEBUG"):
            library.debug("GET /?accesskey=%s", "k")
            library.info("GET /?accesskey=%s", "k")
            library.warning("heard")
    finally:
        library.setLevel(before)
    assert [line["event"] for line in lines_of(path)] == ["heard"]


def test_a_library_does_not_format_messages_that_are_not_logged() -> None:
    with logging_to(level="DEBUG"):
        assert not logging.getLogger("a.library").isEnabledFor(logging.INFO)
        assert logging.getLogger("a.library").isEnabledFor(logging.WARNING)


def test_a_handler_of_a_strangers_that_fails_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    closed = StringIO()
    closed.close()
    with logging_to(secrets=[KEY]):
        logging.getLogger().addHandler(logging.StreamHandler(closed))
        OWN.error("x", extra={"key": KEY})
    assert capsys.readouterr().err == ""


def test_an_uncaught_error_of_a_thread_is_logged_without_secrets(path: Path) -> None:
    def fail() -> None:
        raise ValueError(KEY)

    with logging_to(path, secrets=[KEY]):
        thread = threading.Thread(target=fail, name="web")
        thread.start()
        thread.join()
        quiet = threading.Thread(target=sys.exit)
        quiet.start()
        quiet.join()
    (line,) = lines_of(path)
    assert (line["level"], line["in_thread"]) == ("CRITICAL", "web")
    assert line["exception"].endswith("ValueError: ***")


def test_an_error_that_nobody_could_catch_is_logged_without_secrets(path: Path) -> None:
    class Dying:
        def __del__(self) -> None:
            raise ValueError(KEY)

    with logging_to(path, secrets=[KEY]):
        Dying()
    (line,) = lines_of(path)
    assert (line["level"], "Dying.__del__" in line["at"]) == ("ERROR", True)
    assert line["exception"].endswith("ValueError: ***")


@pytest.mark.parametrize(
    ("last_line", "status", "ending"),
    [
        pytest.param("raise ValueError('hunter22')", 1, "\n  ValueError: ***\n", id="error"),
        pytest.param("raise KeyboardInterrupt", -2, "\nKeyboardInterrupt\n", id="Ctrl-C"),
        pytest.param("raise SystemExit(78)", 78, "", id="exit"),
    ],
)
def test_what_ends_the_process_is_shown_without_secrets(last_line: str, status: int, ending: str) -> None:
    program = f"from tallyd.adapters.logs import Logs\nLogs(secrets=['hunter22'])\n{last_line}\n"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert done.stderr.endswith(ending)
    assert "hunter22" not in done.stderr.replace("raise ValueError('hunter22')", "")
    assert ("CRITICAL unexpected error\n" in done.stderr) == (status == 1)
