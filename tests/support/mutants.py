"""Changes of one thing in a function, of the kind that people make by mistake.

A call is left out, a condition turned round, a limit moved by one, an argument or a filter forgotten. Texts,
types, calls that log, and what stands outside of functions stay as they are.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any, Final, TypeAlias

Function: TypeAlias = tuple[str, int]
"""Its qualified name, and the line of its first decorator or `def`."""

OPERATORS: Final[Mapping[type[ast.AST], Callable[[], Any]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
NAMES: Final = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "reversed": "list"}
TEXTS: Final = frozenset({"tr", "english", "mark"})


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change: the bytes from `start` to `end` become `text`. `says` names it in short."""

    path: Path
    function: Function
    lines: range
    start: int
    end: int
    text: str
    says: str

    def __str__(self) -> str:
        place = "/".join(self.path.parts[self.path.parts.index("tallyd") + 1 :])
        return f"{place}:{self.lines.start} {self.says}"

    def code(self) -> CodeType:
        """Return the changed code of the function."""
        source = _source(self.path)
        module = source[: self.start] + self.text.encode() + source[self.end :]
        return codes(compile(module, str(self.path), "exec", dont_inherit=True))[self.function]


@cache
def _source(path: Path) -> bytes:
    """Return a module as it was when it was first looked at: somebody may work on it meanwhile."""
    return path.read_bytes()


def codes(module: CodeType) -> dict[Function, CodeType]:
    """Return the code of each function in a module, by what `Mutant.function` says."""
    found: dict[Function, CodeType] = {}
    for each in module.co_consts:
        if isinstance(each, CodeType):
            found |= {(each.co_qualname, each.co_firstlineno): each} | codes(each)
    return found


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Yield every change of a module, from its first line to its last."""
    finder = _Finder(path)
    finder.visit(ast.parse(_source(path)))
    yield from sorted(finder.found, key=lambda each: (each.start, each.end, each.text))


class _Finder(ast.NodeVisitor):
    def __init__(self, path: Path) -> None:
        self.found: list[Mutant] = []
        self._path = path
        self._starts = [0]
        for line in _source(path).splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._classes: list[str] = []
        self._function: Function | None = None

    def _add(self, node: ast.stmt | ast.expr, new: ast.expr | str, *, says: str | None = None) -> None:
        text = new if isinstance(new, str) else f"({ast.unparse(new)})"
        assert self._function is not None
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        self.found.append(
            Mutant(
                path=self._path,
                function=self._function,
                lines=range(node.lineno, node.end_lineno + 1),
                start=self._starts[node.lineno - 1] + node.col_offset,
                end=self._starts[node.end_lineno - 1] + node.end_col_offset,
                text=text,
                says=says or f"{ast.unparse(node)} -> {text}",
            )
        )

    # -- where ------------------------------------------------------------------------------------------

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._classes.append(node.name)
        for each in node.body:
            if isinstance(each, ast.ClassDef | ast.FunctionDef):
                self.visit(each)
        self._classes.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer = self._function
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        self._function = outer or (".".join([*self._classes, node.name]), first)
        for each in node.body:
            self.visit(each)
        self._function = outer

    def visit(self, node: ast.AST) -> None:
        if self._function is None and not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            return
        super().visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Leave a text as it is."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """Leave what is never false."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    # -- statements -------------------------------------------------------------------------------------

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call) and not _is_logging(node.value):
            self._add(node, "pass")
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._add(node, "pass")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._add(node, "pass")

    def visit_Break(self, node: ast.Break) -> None:
        self._add(node, "pass")

    def visit_Delete(self, node: ast.Delete) -> None:
        self._add(node, "pass")

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._add(node, "pass")
        self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self._add(node, "pass")
        self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    # -- expressions ------------------------------------------------------------------------------------

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for each in node.ifs:
            self._add(each, "True")
        self.generic_visit(node)

    def _condition(self, test: ast.expr) -> None:
        if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):  # they have changes of their own
            self._add(test, ast.UnaryOp(ast.Not(), test))

    def visit_Compare(self, node: ast.Compare) -> None:
        for place, each in enumerate(node.ops):
            new = copy.copy(node)
            new.ops = [*node.ops[:place], OPERATORS[type(each)](), *node.ops[place + 1 :]]
            self._add(node, new)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self._add(node, ast.BoolOp(OPERATORS[type(node.op)](), node.values))
        for place in range(len(node.values)):
            self._add(node, ast.BoolOp(node.op, [*node.values[:place], *node.values[place + 1 :]]))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        self._add(node, node.operand)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        is_text = any(
            isinstance(each, ast.JoinedStr)
            or (isinstance(each, ast.Constant) and isinstance(each.value, str))
            for each in (node.left, node.right)
        )
        if type(node.op) in OPERATORS and not is_text:
            self._add(node, ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._add(node, repr(not node.value))
        elif isinstance(node.value, int | float):
            self._add(node, repr(node.value + 1))

    def visit_Slice(self, node: ast.Slice) -> None:
        for each in (node.lower, node.upper):
            if each is not None:
                self._add(each, "None")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if _is_logging(node) or (isinstance(node.func, ast.Name) and node.func.id in TEXTS):
            return
        if isinstance(node.func, ast.Name) and node.func.id in NAMES:
            self._add(node.func, NAMES[node.func.id])
        for place, each in enumerate(node.keywords):
            if each.arg is not None:
                rest = [*node.keywords[:place], *node.keywords[place + 1 :]]
                new = ast.Call(node.func, node.args, rest)
                self._add(node, new, says=f"{ast.unparse(node.func)}(...) without {ast.unparse(each)}")
        self.generic_visit(node)


def _is_logging(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "log"
