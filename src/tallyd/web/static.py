"""The assets, all of them out of installed packages: nothing comes from anywhere else."""

from __future__ import annotations

import gzip
import hashlib
import threading
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PLOTLY: Final = "plotly.min.js"
PLOTLY_FILE: Final = Path(str(files("plotly") / "package_data" / PLOTLY))
"""Plotly's own script, as its package brings it."""
_TYPES: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    PLOTLY: "text/javascript; charset=utf-8",
}
_YEAR_S: Final = 31_536_000
_packing = threading.Lock()


@dataclass(frozen=True)
class Asset:
    """One file, packed. Its `version` stands in its address, so that it can be kept for ever."""

    packed: bytes
    version: str


def asset_url(name: str) -> str:
    """Return the address of an asset as it is now, below that of the page."""
    return f"static/{name}?v={_version(name)}"


@cache
def _version(name: str) -> str:
    if name == PLOTLY:
        found = PLOTLY_FILE.stat()  # not read for this: it is five million bytes
        return hashlib.sha256(f"{found.st_size} {found.st_mtime_ns}".encode()).hexdigest()[:12]
    return hashlib.sha256(_read(name)).hexdigest()[:12]


def _read(name: str) -> bytes:
    return (PLOTLY_FILE if name == PLOTLY else Path(__file__).parent / "static" / name).read_bytes()


@cache
def _asset(name: str) -> Asset:
    return Asset(gzip.compress(_read(name), 6, mtime=0), _version(name))


@cache
def _plain(name: str) -> bytes:
    # Kept once it was asked for: else plotly would be five megabytes for each of many who do not read it.
    return gzip.decompress(_asset(name).packed)


def asset(request: Request) -> Response:
    """Return an asset; in the packed form that every browser takes, where it says so."""
    name = request.path_params["name"]
    if name not in _TYPES:
        raise HTTPException(404, "there is no such file")
    with _packing:  # once, by one thread: packing plotly takes half a second
        found = _asset(name)
    headers = {"etag": f'"{found.version}"', "vary": "accept-encoding", "cache-control": "private, no-cache"}
    if request.query_params.get("v") == found.version:
        headers["cache-control"] = f"private, max-age={_YEAR_S}, immutable"
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        with _packing:
            plain = _plain(name)
        return Response(plain, media_type=_TYPES[name], headers=headers)
    return Response(found.packed, media_type=_TYPES[name], headers={**headers, "content-encoding": "gzip"})


def routes() -> list[Route]:
    """Return what can be asked for."""
    return [Route("/static/{name}", asset, name="static")]
