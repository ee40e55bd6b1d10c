"""Work that is packed, done elsewhere and unpacked: results, secrets, bugs, versions, clocks."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

import tallyd
from support.pools import FakePool, workers_of
from tallyd.adapters.pools import child
from tallyd.config.secrets import SecretFiles
from tallyd.contract.http import Request
from tallyd.contract.workers import Done, HttpOptions, WorkersError, WorkTools
from tallyd.core.errors import SourceError, Stopped
from tallyd.pollers.servers.sources.credentials import Credentials
from tallyd.runs.remote import do
from tallyd.runs.workers import PooledWorkers, least_ahead_s
from tallyd.settings.headers import Plain
from tallyd.settings.secrets import Reference, Secret


def doubled(number: int, tools: WorkTools) -> int:
    return 2 * number


def revealed(secret: Secret, tools: WorkTools) -> str:
    return secret.reveal(tools.read_secret)


def refused(host: Secret, tools: WorkTools) -> str:
    with pytest.raises(SourceError) as caught:
        tools.http.request(Request(url=f"http://{host.reveal(tools.read_secret)}:1/")).result(20)
    return caught.value.text


def asked(url: str, tools: WorkTools) -> str:
    with pytest.raises(SourceError) as caught:
        tools.http.request(Request(url=url)).result(20)
    return caught.value.text


def buggy(given: str, tools: WorkTools) -> NoReturn:
    raise KeyError(given)


def until_stopped(given: None, tools: WorkTools) -> None:
    if tools.stop():
        raise Stopped


@pytest.fixture
def pool() -> Iterator[FakePool]:
    found = FakePool()
    yield found
    found.close()


@pytest.fixture
def workers(pool: FakePool) -> PooledWorkers:
    return workers_of(pool, lambda: datetime.now(UTC))


def failure(workers: PooledWorkers, given: Secret) -> str:
    with pytest.raises(WorkersError) as caught:
        workers.begin(revealed, given).result(10)
    return caught.value.text


def test_work_returns_what_it_returns_and_who_did_it(workers: PooledWorkers) -> None:
    done: Done[int] = workers.begin(doubled, 21).result(10)
    assert (done.result, done.version, done.ahead_s) == (42, tallyd.__version__, 0.0)
    assert ":" in done.worker


def test_a_secret_goes_as_a_reference_and_is_read_where_it_is_needed(
    workers: PooledWorkers, pool: FakePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("Zq7-one\n")
    monkeypatch.setenv("TALLYD_TEST_KEY", "Zq7-two")
    reader = SecretFiles(tmp_path, {"TALLYD_TEST_KEY": "Zq7-two"})
    for written, value in (("file:key", "Zq7-one"), ("env:TALLYD_TEST_KEY", "Zq7-two")):
        secret = Secret(reader.read(written), reader.reference(written))
        assert workers.begin(revealed, secret).result(10).result == value
        basic = workers.begin(revealed, Credentials("me", secret)).result(10).result
        assert basic == Credentials("me", secret).reveal()
    file.write_text("Zq7-three")
    assert workers.begin(revealed, Reference(f"file:{file}")).result(10).result == "Zq7-three", "it was kept"
    assert b"Zq7" not in b"".join(pool.given)


def test_what_a_request_of_a_worker_says_has_no_secret_that_it_has_read(
    workers: PooledWorkers, tmp_path: Path
) -> None:
    (tmp_path / "host").write_text("127.0.0.1")
    said = workers.begin(refused, Reference(f"file:{tmp_path / 'host'}")).result(20).result
    assert said == "***:1: connection refused"


def test_a_worker_asks_through_the_proxy_of_the_config(pool: FakePool, tmp_path: Path) -> None:
    (tmp_path / "proxy").write_text("http://127.0.0.1:1")
    options = HttpOptions("tallyd", 10.0, Reference(f"file:{tmp_path / 'proxy'}"))
    workers = PooledWorkers(pool, options, now=lambda: datetime.now(UTC))
    said = workers.begin(asked, "http://apps.example/version").result(20).result
    assert said == "the proxy on the way to apps.example: connection refused"


def test_a_secret_that_is_written_directly_never_leaves_this_process(workers: PooledWorkers) -> None:
    for secret in (Secret("Zq7-secret"), Credentials(None, Secret("Zq7-secret"))):
        assert not secret.can_travel
        with pytest.raises(TypeError, match="never goes to another process"):
            workers.begin(revealed, secret)
    assert workers.begin(revealed, Plain("text/x")).result(10).result == "text/x"


def test_a_worker_without_the_secret_says_which_and_not_what(workers: PooledWorkers, tmp_path: Path) -> None:
    assert "environment variable NOT_THERE is not set" in failure(workers, Reference("env:NOT_THERE"))
    file = tmp_path / "key"
    file.write_text("Zq7-one\nZq7-two\n")
    text = failure(workers, Reference(f"file:{file}"))
    assert "line break" in text
    assert "Zq7" not in text


def test_a_bug_in_work_is_its_own_failure(workers: PooledWorkers, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(WorkersError, match=r"KeyError \(see its log\)"):
        workers.begin(buggy, "a value").result(10)
    assert "work failed" in caplog.text
    assert workers.begin(doubled, 1).result(10).result == 2


def test_work_ends_when_its_process_should(workers: PooledWorkers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "is_stopping", lambda: True)
    monkeypatch.setattr("tallyd.runs.remote.is_stopping", lambda: True)
    with pytest.raises(WorkersError, match="told to end"):
        workers.begin(until_stopped, None).result(10)


def test_what_another_version_cannot_do_names_both_versions(caplog: pytest.LogCaptureFixture) -> None:
    """A later tallyd asks for a function that this one does not have."""
    packed = pickle.dumps(("99.1", b"ctallyd.runs.remote\nnot_there\n."))
    worker, version, _began_s, _ended_s, why, result = pickle.loads(do(packed))
    assert (version, result) == (tallyd.__version__, b"")
    assert why == f"it has tallyd {tallyd.__version__} and cannot do what 99.1 asks for"
    assert worker


@pytest.mark.parametrize(
    ("began_s", "ended_s", "ahead_s"),
    [
        pytest.param(101.0, 109.0, 0.0, id="in between: the clocks may agree"),
        pytest.param(161.0, 169.0, 59.0, id="ahead: it ended after we had the result"),
        pytest.param(41.0, 49.0, -59.0, id="behind: it began before it was sent"),
        pytest.param(100.0, 110.0, 0.0, id="exactly"),
    ],
)
def test_a_clock_is_wrong_by_what_the_way_cannot_explain(
    began_s: float, ended_s: float, ahead_s: float
) -> None:
    assert least_ahead_s(sent_s=100.0, began_s=began_s, ended_s=ended_s, received_s=110.0) == ahead_s
