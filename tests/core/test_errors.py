"""Errors: what is behind one."""

from __future__ import annotations

from tallyd.core.errors import causes


def test_an_error_has_each_of_its_causes_once_wherever_a_library_has_put_it() -> None:
    first, second, third, fourth = OSError("first"), ValueError("second"), KeyError("third"), RuntimeError()
    outer = RuntimeError("text", first)
    outer.reason = second  # type: ignore[attr-defined] # as urllib3 does
    outer.__cause__ = third
    first.__context__ = fourth
    fourth.__cause__ = outer
    assert list(causes(outer)) == [outer, first, second, third, fourth]
