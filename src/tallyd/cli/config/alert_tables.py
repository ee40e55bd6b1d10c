"""The tables of all problems in docs/alerts.md, in each language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tallyd.config.settings import BY_KIND
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.daemon_alerts import OWN_KINDS
from tallyd.core.alerts.run_alerts import RUN_KINDS
from tallyd.core.alerts.wording import ENDING, REMINDING
from tallyd.core.language.languages import LANGUAGES, Language, language, reading_in
from tallyd.core.language.messages import mark, tr, translation

NAMES: Final[dict[Language, str]] = {"en": "English", "de": "Deutsch", "zh-TW": "繁體中文"}
"""Each language as those who speak it call it."""
_HEADINGS: Final = mark("| key | severity | text | over | what ends it |")


def alert_tables() -> str:
    """Return every kind of problem: a table in English, then a section for each other language."""
    return "\n".join(_section(each) for each in LANGUAGES)


def every_kind() -> Iterator[AlertKind]:
    """Yield the kinds of the jobs, of all pollers, and of tallyd itself."""
    yield from RUN_KINDS
    for poller in BY_KIND.values():
        yield from poller.alert_kinds()
    yield from OWN_KINDS


def _section(wanted: Language) -> str:
    with reading_in(wanted):
        if wanted == "en":
            return _table()
        shared = tr(
            '"..." in the table is `{ending}`. A reminder begins with `{reminding}`.',
            ending=translation(ENDING),
            reminding=translation(REMINDING),
        )
        return f"### {NAMES[wanted]}\n\n{shared}\n\n{_table()}"


def _table() -> str:
    return "\n".join([translation(_HEADINGS), "|---|---|---|---|---|", *map(_row, every_kind())]) + "\n"


def _row(kind: AlertKind) -> str:
    # docs/alerts.md says what the dots stand for.
    over = translation(kind.over) + (" since ..." if language() == "en" else " ...")
    cells = (f"`{kind.key}`", *map(translation, (kind.severity, kind.text)), over, translation(kind.ends))
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
