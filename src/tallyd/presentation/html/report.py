"""A report as one file of HTML that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence

from tallyd.presentation.boards import Chapter


def report_html(name: str, made: str, chapters: Sequence[Chapter], troubles: Sequence[str]) -> str:
    """Return the file. `name` is tallyd's own, `made` says when, `troubles` why something is missing."""
    raise NotImplementedError
