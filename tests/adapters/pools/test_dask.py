"""A real Dask scheduler and a real worker on this machine: they do work, die, and come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from support.daemon import wait_until
from support.pools import hang
from support.processes import free_port, wait_for_port
from tallyd.contract.workers import WorkersError

if TYPE_CHECKING:
    from tallyd.adapters.pools.dask import DaskCluster


@contextmanager
def running(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of Dask, with the functions of this file at hand."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *words],
        cwd=folder,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def scheduler_on(port: int, protocol: str = "tcp") -> tuple[str, ...]:
    host = f"{protocol}://127.0.0.1"
    return ("scheduler", "--host", host, "--port", str(port), "--no-dashboard", "--no-show")


def worker_of(port: int, protocol: str = "tcp") -> tuple[str, ...]:
    return (
        *("worker", f"{protocol}://127.0.0.1:{port}", "--nthreads", "3", "--no-nanny", "--no-dashboard"),
        *("--local-directory", "worker"),
    )


def test_work_is_done_by_a_cluster_that_comes_and_goes(tmp_path: Path) -> None:
    from tallyd.adapters.pools.dask import DaskCluster  # its import takes a second, in each worker of pytest

    port = free_port()
    pool = DaskCluster(f"tcp://127.0.0.1:{port}")
    with ExitStack() as stack:
        stack.callback(pool.close)
        with pytest.raises(WorkersError, match=f"tcp://127.0.0.1:{port}: no connection"):
            pool.places()
        scheduler = stack.enter_context(running(tmp_path, *scheduler_on(port)))
        wait_for_port(port)
        with pytest.raises(WorkersError, match="has no workers"):
            pool.places()
        worker = stack.enter_context(running(tmp_path, *worker_of(port)))
        wait_until(lambda: has_places(pool), what="a worker", within_s=60)
        assert pool.places() == 3
        assert pool.submit(os.fsencode, b"done").result(60) == b"done"

        hanging = pool.submit(hang, b"")
        worker.kill()
        stack.enter_context(running(tmp_path, *worker_of(port)))
        wait_until(lambda: has_places(pool), what="another worker", within_s=60)
        assert pool.submit(os.fsencode, b"again").result(60) == b"again"
        assert not hanging.done(), "Dask repeats it"

        scheduler.send_signal(signal.SIGKILL)
        with pytest.raises(WorkersError, match="the connection to the scheduler was lost"):
            hanging.result(60)
        scheduler.wait()
        wait_until(lambda: pool._client is not None and pool._client.status == "closed", within_s=60)
        with pytest.raises(WorkersError, match="the connection to the scheduler was lost"):
            pool.submit(os.fsencode, b"lost").result(60)
        with pytest.raises(WorkersError):
            pool.places()
        stack.enter_context(running(tmp_path, *scheduler_on(port)))
        wait_for_port(port)
        stack.enter_context(running(tmp_path, *worker_of(port)))
        wait_until(lambda: has_places(pool), what="the new cluster", within_s=60)
        assert pool.submit(os.fsencode, b"anew").result(60) == b"anew"


def has_places(pool: DaskCluster) -> bool:
    try:
        return pool.places() > 0
    except WorkersError:
        return False


def certificate(folder: Path, name: str, issuer: trustme.CA) -> dict[str, str]:
    """Return Dask's settings for a new certificate."""
    made = issuer.issue_cert("127.0.0.1")
    files = {"cert": str(folder / f"{name}.pem"), "key": str(folder / f"{name}.key")}
    made.cert_chain_pems[0].write_to_path(files["cert"])
    made.private_key_pem.write_to_path(files["key"])
    return files


def test_tls_needs_certificates_of_both_sides_and_says_which_is_wrong(tmp_path: Path) -> None:
    import dask

    from tallyd.adapters.pools.dask import DaskCluster  # see above

    ours, other = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    other.cert_pem.write_to_path(str(tmp_path / "other-ca.pem"))
    fits = certificate(tmp_path, "node", ours)
    foreign = certificate(tmp_path, "foreign", other)
    (tmp_path / "conf").mkdir()
    ca = str(tmp_path / "ca.pem")
    given = Path(__file__).parents[3] / "docs/scale/tls.yaml"
    (tmp_path / "conf/dask.yaml").write_text(given.read_text().replace("/etc/dask", str(tmp_path)))
    port = free_port()
    address = f"tls://127.0.0.1:{port}"

    def settings(
        ca: str = ca, cert: str | None = fits["cert"], key: str = fits["key"]
    ) -> AbstractContextManager[None]:
        tls = {"ca-file": ca, "client.cert": cert, "client.key": key}
        return dask.config.set({f"distributed.comm.tls.{name}": value for name, value in tls.items()})

    def told(**changed: Any) -> str:
        """Return why nobody answers a client with these settings."""
        with settings(**changed):
            pool = DaskCluster(address)
            with pytest.raises(WorkersError) as found:
                pool.places()
        return str(found.value).removeprefix(f"{address}: ")

    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("DASK_CONFIG", str(tmp_path / "conf"))
        stack.enter_context(running(tmp_path, *scheduler_on(port, "tls")))
        stack.enter_context(running(tmp_path, *worker_of(port, "tls")))
        with settings():
            pool = DaskCluster(address)
            stack.callback(pool.close)
            wait_until(lambda: has_places(pool), what="a worker", within_s=60)
            assert pool.submit(os.fsencode, b"done").result(60) == b"done"

        untrusted = "certificate not trusted (self-signed certificate in certificate chain)"
        assert told(ca=str(tmp_path / "other-ca.pem")) == untrusted
        # The scheduler says why it refuses this one, or only closes the connection.
        refused = told(**foreign)
        assert refused.startswith("TLS failed"), refused
        assert refused.endswith("; see the log of the scheduler"), refused
        unusable = "the certificates that Dask's config names cannot be used"
        assert told(key="/nowhere") == f"{unusable} (no such file or directory)"
        assert told(key=foreign["key"]) == f"{unusable} (key values mismatch)"
        assert told(cert=None) == "Dask's config names no certificates for clients; see docs/scale.md"
        address = f"tcp://127.0.0.1:{port}"
        with dask.config.set({"distributed.comm.require-encryption": True}):
            assert told() == "Dask's config requires TLS; the address must begin with tls://"
