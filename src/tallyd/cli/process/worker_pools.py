"""The workers that the pollers of a config need: started or connected once, kept while they are needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import tallyd
from tallyd.adapters.pools.pool import Pool
from tallyd.config.model import Config
from tallyd.config.problems import place_of
from tallyd.contract.workers import HttpOptions, Workers
from tallyd.core.errors import ConfigProblem
from tallyd.core.workers_spec import WorkersNeeded
from tallyd.settings.headers import Plain
from tallyd.settings.secrets import Secret
from tallyd.settings.top import holds_password

if TYPE_CHECKING:
    from tallyd.runs.workers import PooledWorkers

_Key: TypeAlias = tuple[str, WorkersNeeded, HttpOptions]


class WorkerPools:
    """A pool for each poller that needs one. Any number of threads.

    None is shared: a poller that gives up what hangs would end the work of another one.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._pools: dict[_Key, PooledWorkers] = {}

    def of(self, poller: str, needed: WorkersNeeded, config: Config) -> Workers:
        """Return the workers of a poller. Nothing is started or connected before they get work."""
        options = http_options(config)
        key = poller, needed, options
        with self._lock:
            if key not in self._pools:
                from tallyd.runs.workers import PooledWorkers  # noqa: PLC0415 # see `_pool`

                self._pools[key] = PooledWorkers(_pool(needed), options, now=self._now)
            return self._pools[key]

    def apply_config(self, config: Config) -> None:
        """End the pools that this config does not need. What runs there is lost for its round."""
        options = http_options(config)
        wanted = {(name, each.workers_needed(), options) for name, each in config.settings.pollers.items()}
        with self._lock:
            for key in self._pools.keys() - wanted:
                self._pools.pop(key).close()

    def close(self) -> None:
        """End all pools. A further call does nothing."""
        with self._lock:
            for each in self._pools.values():
                each.close()
            self._pools.clear()


def http_options(config: Config) -> HttpOptions:
    """Return how workers send requests."""
    http = config.settings.http
    return HttpOptions(f"tallyd/{tallyd.__version__}", http.timeout, _proxy(config))


def _proxy(config: Config) -> Secret | None:
    """Return the proxy; one without a password is no secret."""
    proxy = config.settings.http.proxy
    if proxy is None or proxy.can_travel or holds_password(proxy.reveal()):
        return proxy
    return Plain(proxy.reveal())


def executor_problems(config: Config) -> tuple[ConfigProblem, ...]:
    """Return what is missing for the workers that pollers need: a library, a proxy that may travel."""
    needed = {name: each.workers_needed() for name, each in config.settings.pollers.items()}
    problems = []
    for name, each in needed.items():
        if each is not None and each.scheduler is not None and (why := _no_dask()):
            problems.append(ConfigProblem(place_of(("pollers", name, "executor")), why))
    proxy = _proxy(config)
    if proxy and not proxy.can_travel and any(needed.values()):
        text = 'must be a reference ("env:NAME" or "file:PATH"): an `executor` sends no secret to its workers'
        problems.append(ConfigProblem("http.proxy", text))
    return tuple(problems)


def _no_dask() -> str:
    try:
        import distributed  # noqa: F401, PLC0415 # a real import, to find broken libraries here
    except ModuleNotFoundError as error:
        return (
            f"needs a library that is not installed ({error.name}); see docs/scale.md "
            '(pip install "tallyd[dask]")'
        )
    return ""


def _pool(needed: WorkersNeeded) -> Pool:
    # Imported only if needed: few have workers, and Dask takes a second and 40 MiB.
    if needed.scheduler is None:
        from tallyd.adapters.pools.processes import Processes  # noqa: PLC0415 # see above

        return Processes(needed.processes)
    from tallyd.adapters.pools.dask import DaskCluster  # noqa: PLC0415 # see above

    return DaskCluster(needed.scheduler)
