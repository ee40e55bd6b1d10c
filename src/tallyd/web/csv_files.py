"""CSV files that a browser can ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import Response

from tallyd.core.language.languages import language, reading_in


@contextmanager
def csv_reader(request: Request) -> Iterator[bool]:
    """Make a CSV for Excel (`excel=1`) in the reader's language, and one for programs in English.

    Yield whether it is for Excel.
    """
    is_for_excel = request.query_params.get("excel") == "1"
    with reading_in(language() if is_for_excel else "en"):
        yield is_for_excel


def csv_file(text: str, *words: object) -> Response:
    """Return a CSV as a file with a name of these words, which may come from a query."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", "-".join(map(str, filter(None, words)))).strip("-")
    headers = {"content-disposition": f'attachment; filename="{stem}.csv"'}
    return Response(text.encode(), media_type="text/csv; charset=utf-8", headers=headers)
