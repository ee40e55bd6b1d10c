"""pgbouncer between a test and PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.records.servers import PASSWORD, Server
from support.needs import needs
from support.processes import free_port, wait_for_port


@contextmanager
def pooler(server: Server, mode: str) -> Iterator[int]:
    """Run pgbouncer in this mode (`session`, `transaction`); yields its port on loopback."""
    needs("pgbouncer")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="tallyd-pooler-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "auth_type": "any",  # whoever comes is the user below
            "pool_mode": mode,
            "unix_socket_dir": "",
            "logfile": folder / "log",
            "max_client_conn": 20,
        }
        target = f"* = host=127.0.0.1 port={server.port} user=tally password='{PASSWORD}'"
        lines = [
            "[databases]",
            target,
            "[pgbouncer]",
            *(f"{key} = {value}" for key, value in settings.items()),
        ]
        (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            shutil.chown(folder, server.user)
        command = server.as_user([shutil.which("pgbouncer") or "", "-q", str(folder / "pgbouncer.ini")])
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for_port(port)
            yield port
        finally:
            process.kill()
            process.wait()
