"""What the mutation campaign changes."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from support.mutants import mutants_of

CHANGES = {
    "call": ("self.finish()", ["pass"]),
    "limit": ("return a < 1", ["a <= 1", "2"]),
    "or": ("return a or b", ["a and b", "b", "a"]),
    "condition": ("if a:\n    b()", ["not a", "pass"]),
    "filter": ("return [x for x in a if x.is_open]", ["True"]),
    "argument": ("return min(a, key=abs)", ["max", "min(a)"]),
    "piece": ("return a[:b]", ["None"]),
    "order": ("return sorted(a)", ["list"]),
    "guard": ("if not a:\n    raise KeyError(a)", ["a", "pass"]),
    "sum": ("a += 1", ["pass", "2"]),
    "attribute": ("self.a = b - c", ["pass", "b + c"]),
    "texts": ("a = tr(f'{b + 1}') + 'c'", []),
    "log": ("log.info('a', extra={'b': 1})", []),
    "type": ("a: dict[str, int] = b", []),
    "inner": ("def g():\n    return True\nreturn g", ["False"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_people_do_by_mistake_is_a_change(name: str, tmp_path: Path) -> None:
    body, expected = CHANGES[name]
    path = tmp_path / "tallyd" / "module.py"
    path.parent.mkdir()
    path.write_text(
        f"import x\nLIMIT = 3\nclass C:\n    @x.y\n    def f(self, a=1):\n{indent(body, ' ' * 8)}\n"
    )
    found = list(mutants_of(path))
    assert sorted(each.text.removeprefix("(").removesuffix(")") for each in found) == sorted(expected)
    assert all(each.code().co_qualname == "C.f" for each in found)
