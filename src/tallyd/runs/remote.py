"""Work in another process: it unpacks some work, does it with tools of its own, and packs what came of it.

`workers.py` sends it. Both agree on `Sent` and `Answered`, which have only the types that every version of
tallyd can unpack. What is inside of them may differ between versions.
"""

from __future__ import annotations

import logging
import os
import pickle
import resource
import socket
import threading
import time
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeAlias

from pydantic_core import PydanticCustomError

import tallyd
from tallyd.adapters.http.client import HttpClient
from tallyd.adapters.pools.child import is_stopping
from tallyd.adapters.reads.reads import TimedReads
from tallyd.config.secrets import SecretFiles
from tallyd.contract.workers import HttpOptions, SecretMissing, WorkTools
from tallyd.core.errors import Stopped
from tallyd.core.language.messages import english, mark_english
from tallyd.core.privacy.redaction import Redactor
from tallyd.core.texts import UNPRINTABLE

log = logging.getLogger("tallyd")

Sent: TypeAlias = tuple[str, bytes]
"""The version of the sender, and the packed (HttpOptions, work, what it is given)."""
Answered: TypeAlias = tuple[str, str, float, float, str, bytes]
"""Who did it, its version, when it began and ended by its clock (seconds since 1970), why there is no result
(empty: there is one), and the packed result."""

_ENDED = mark_english("it was told to end")


def do(packed: bytes) -> bytes:
    """Do some work, and return the packed `Answered`. Raises nothing."""
    began_s = time.time()
    version, content = pickle.loads(packed)  # noqa: S301 # from tallyd itself; see docs/scale.md
    failure, result = "", b""
    try:
        options, work, given = pickle.loads(content)  # noqa: S301 # see above
        result = pickle.dumps(work(given, _tools(options)))
    except Stopped:
        failure = _ENDED
    except SecretMissing as missing:
        failure = str(missing)
    except Exception as error:
        # The one place that handles a bug in work: the other pieces continue.
        log.exception("work failed")
        failure = english("{kind} (see its log)", kind=type(error).__name__)
        if version != tallyd.__version__:
            failure = english(
                "it has tallyd {version} and cannot do what {own_version} asks for",
                version=tallyd.__version__,
                own_version=version,
            )
    answered: Answered = (_name(), tallyd.__version__, began_s, time.time(), failure, result)
    return pickle.dumps(answered)


@cache
def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


# -- tools of this process -----------------------------------------------------------------------------------


def _tools(options: HttpOptions) -> WorkTools:
    read = cache(_read_secret)  # for this piece of work: a secret may change
    proxy = options.proxy.reveal(read) if options.proxy else None
    with _making:
        return WorkTools(
            now=_now,
            stop=is_stopping,
            http=_http(options.user_agent, options.timeout_s, proxy),
            reads=_reads(),
            read_secret=read,
        )


_making = threading.Lock()
_secrets = SecretFiles(folder=Path("/"), environ=os.environ)


def _now() -> datetime:
    return datetime.now(UTC)


@lru_cache(maxsize=4)
def _http(user_agent: str, timeout_s: float, proxy: str | None) -> HttpClient:
    _open_many_files()
    return HttpClient(user_agent=user_agent, timeout_s=timeout_s, proxy=proxy, redact=_redact, now=_now)


@cache
def _reads() -> TimedReads:
    return TimedReads(now=_now)


def _open_many_files() -> None:
    """Allow as many open files as this process may have: each check that hangs costs one."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _read_secret(reference: str) -> str:
    """Return a secret of this machine. Raises `SecretMissing`."""
    try:
        value = _secrets.read(reference)
    except PydanticCustomError as error:
        raise SecretMissing(error.message()) from None
    if value != value.strip() or UNPRINTABLE.search(value):
        raise SecretMissing(
            english("{reference_name} has a line break or spaces around it", reference_name=reference)
        )
    return value


def _redact(text: str) -> str:
    return _redactor(frozenset(_secrets.values)).redact(text)


@lru_cache(maxsize=1)
def _redactor(secrets: frozenset[str]) -> Redactor:
    return Redactor(secrets)
