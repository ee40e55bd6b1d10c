"""The assets, all of them files of this package: nothing comes from anywhere else."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Final

from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tallyd.presentation.html.templates import ASSETS

_YEAR_S: Final = 31_536_000


def asset_url(name: str) -> str:
    """Return the address of an asset as it is now, below that of the page."""
    return f"static/{name}?v={_version(name)}"


@cache
def _version(name: str) -> str:
    return hashlib.sha256((ASSETS / name).read_bytes()).hexdigest()[:12]


class _Assets(StaticFiles):
    """Files whose version stands in their address, so that a browser can keep them for ever."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        name = Path(full_path).relative_to(ASSETS.resolve()).as_posix()
        is_current = QueryParams(scope["query_string"]).get("v") == _version(name)
        response.headers["cache-control"] = (
            f"private, max-age={_YEAR_S}, immutable" if is_current else "private, no-cache"
        )
        return response


def routes() -> list[Mount]:
    """Return what can be asked for."""
    return [Mount("/static", _Assets(directory=ASSETS), name="static")]
