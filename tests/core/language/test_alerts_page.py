"""docs/alerts.md has every text of a message, as the code and the catalogs have it."""

from __future__ import annotations

from core.language.alerts_page import MARKER, PAGE, generated
from tallyd.cli.config.alert_tables import every_kind


def test_the_documented_texts_are_those_of_the_program() -> None:
    _, _, documented = PAGE.read_text("utf-8").partition(MARKER)
    assert documented == generated(), "write them anew: python tests/core/language/alerts_page.py"


def test_each_kind_of_problem_has_a_row_in_each_language() -> None:
    text = generated()
    for kind in every_kind():
        assert text.count(f"\n| `{kind.key}` |") == 3
