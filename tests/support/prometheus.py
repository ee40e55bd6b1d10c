"""A real Prometheus that scrapes a page once per second."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests


@dataclass(frozen=True)
class Prometheus:
    """Prometheus at an address and port."""

    address: str

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Return the series that a query finds now."""
        return self._get("query", {"query": query})["result"]  # type: ignore[no-any-return] # JSON

    def values(self, metric: str, label: str) -> list[str]:
        """Return the values of a label of a metric."""
        return self._get(f"label/{label}/values", {"match[]": metric})  # type: ignore[no-any-return] # JSON

    def wait_for(self, query: str, *, within_s: float = 60) -> str:
        """Return the first value of a query, as soon as there is one."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            try:
                if found := self.ask(query):
                    return str(found[0]["value"][1])
            except (requests.RequestException, KeyError):
                pass
            time.sleep(0.2)
        raise AssertionError(f"Prometheus has no value of {query}")

    def _get(self, path: str, params: dict[str, str]) -> Any:
        answer = requests.get(f"http://{self.address}/api/v1/{path}", params=params, timeout=5).json()
        assert answer["status"] == "success", answer
        return answer["data"]


@contextmanager
def scraping(url: str, folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus with its data in `folder`, which scrapes a URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = f"127.0.0.1:{free.getsockname()[1]}"
    config = folder / "prometheus.yml"
    target = {"targets": [url.removeprefix("http://")]}
    scrape = {"job_name": "tallyd", "scrape_interval": "1s", "static_configs": [target]}
    config.write_text(json.dumps({"scrape_configs": [scrape]}))
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={own}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Prometheus(own)
    finally:
        process.terminate()
        process.wait(30)
