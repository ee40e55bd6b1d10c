"""The end of docs/alerts.md: all texts of messages, in each language. As a program, it writes that anew.

python tests/core/language/alerts_page.py
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from core.language.catalogs import messages, translations
from tallyd.cli.config.alert_tables import NAMES, alert_tables, every_kind
from tallyd.core.language.languages import LANGUAGES

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = ROOT / "docs" / "alerts.md"
MARKER: Final = "<!-- From here on: python tests/core/language/alerts_page.py -->\n\n"
FOLDERS: Final = ("core/alerts/", "alerting/")
"""Where the texts of messages are."""


def generated() -> str:
    """Return what follows the marker."""
    return f"{alert_tables()}\n## Other texts of messages\n\n{other_texts()}"


def other_texts() -> str:
    """Return the table of the texts that are of no kind of problem: mutes, acknowledgements, summaries."""
    of_kinds = {
        text for kind in every_kind() for text in (kind.text, kind.over, kind.ends, kind.short, kind.many)
    }
    known = {each: translations("tallyd", each.replace("-", "_")) for each in LANGUAGES if each != "en"}
    lines = [f"| {' | '.join(NAMES[each] for each in LANGUAGES)} |", "|---" * len(LANGUAGES) + "|"]
    for message, files in sorted(messages("tallyd").items()):
        if message not in of_kinds and any(file.startswith(FOLDERS) for file in files):
            texts = (message, *(of_language.get(message, "") or message for of_language in known.values()))
            lines.append(f"| {' | '.join(_cell(text) for text in texts)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return f"`{text}`".replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Compile the catalogs, then write the end of the page anew."""
    runpy.run_path(str(ROOT / "hatch_build.py"))["compile_catalogs"]()
    written, marker, _ = PAGE.read_text("utf-8").partition(MARKER)
    PAGE.write_text(written + marker + generated(), "utf-8")


if __name__ == "__main__":
    main()
