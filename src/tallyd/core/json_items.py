"""Finds a list in parsed JSON by JMESPath, and drops nothing of it. Imported only where a config has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jmespath.visitor import TreeInterpreter

from tallyd.core.json_query import applying, compiled

if TYPE_CHECKING:
    from jmespath.visitor import _TreeNode as Node

_EACH: Final[tuple[Node, Node]] = (
    {"type": "current", "value": None, "children": []},
    {"type": "identity", "value": None, "children": []},
)
"""The items of the list itself, as they are."""


def items_at(expression: str, content: object) -> list[Any] | None:
    """Return the list that an expression finds; None: there is none.

    JMESPath drops every null: `rows[].cells[]` would be an empty list if `cells` is missing. Here a null
    stays in the list. A list of which a filter keeps nothing counts as none: the filter may be wrong.
    Raises `InapplicableError`.
    """
    interpreter = _DropsNothing()
    with applying():
        found = interpreter.visit(compiled(expression).parsed, content)
    is_list = isinstance(found, list) and (found or not interpreter.has_filtered)
    return found if is_list else None


class _DropsNothing(TreeInterpreter):
    """JMESPath whose lists keep each null. Inside `{name: ...}`, which makes an item, it is as usual."""

    def __init__(self) -> None:
        super().__init__()
        self.has_filtered = False
        self._usual = TreeInterpreter()

    def visit_projection(self, node: Node, value: Any) -> list[Any] | None:
        items, each = node["children"]
        found = self.visit(items, value)
        return [self.visit(each, item) for item in found] if isinstance(found, list) else None

    def visit_value_projection(self, node: Node, value: Any) -> list[Any] | None:
        items, each = node["children"]
        found = self.visit(items, value)
        return [self.visit(each, item) for item in found.values()] if isinstance(found, dict) else None

    def visit_filter_projection(self, node: Node, value: Any) -> list[Any] | None:
        items, each, condition = node["children"]
        found = self.visit(items, value)
        if not isinstance(found, list):
            return None
        kept = self._usual.visit({**node, "children": [*_EACH, condition]}, found)
        self.has_filtered |= len(kept) < len(found)
        return [self.visit(each, item) for item in kept]

    def visit_multi_select_dict(self, node: Node, value: Any) -> object:
        return self._usual.visit(node, value)
