"""JMESPath: a way to a value inside parsed JSON. The library is imported only where a config uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tallyd.core.language.messages import english, mark

if TYPE_CHECKING:
    from jmespath.parser import ParsedResult

_FAILURES: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What an expression may raise for values that it was not made for."""
_KINDS: Final = {
    "string": mark("a text"),
    "number": mark("a number"),
    "boolean": mark("true or false"),
    "array": mark("a list"),
    "object": mark("an object"),
    "null": "null",
    "str": mark("a list with a text"),
    "int": mark("a list with a number"),
    "float": mark("a list with a number"),
    "bool": mark("a list with true or false"),
    "list": mark("a list with a list"),
    "dict": mark("a list with an object"),
    "NoneType": mark("a list with null"),
}
"""What a function got, by the type in its error: that of JMESPath; that of Python if it is inside a list."""


class InapplicableError(Exception):
    """An expression was not made for such values. The text says what a function got, never a value."""


@lru_cache(maxsize=1024)
def compiled(expression: str) -> ParsedResult:
    """Return an expression in the form that searches. Raises ValueError if it is not JMESPath."""
    import jmespath  # noqa: PLC0415 # see above

    return jmespath.compile(expression)


def search(expression: str, content: object) -> object:
    """Return what an expression finds in parsed JSON; None: nothing. Raises `InapplicableError`."""
    with applying():
        return compiled(expression).search(content)


@contextmanager
def applying() -> Iterator[None]:
    """Turn what an expression raises into `InapplicableError`."""
    from jmespath.exceptions import JMESPathTypeError  # noqa: PLC0415 # see above

    try:
        yield
    except JMESPathTypeError as error:  # the texts of these errors hold values
        got = _KINDS.get(error.actual_type, mark("something else"))
        why = english("{function}() got {kind}", function=error.function_name, kind=got)
        raise InapplicableError(why) from None
    except _FAILURES:
        raise InapplicableError(mark("values of another form")) from None
