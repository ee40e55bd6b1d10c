"""JMESPath: a way to a value inside parsed JSON. The library is imported only where a config uses it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jmespath.parser import ParsedResult

FAILURES: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What an expression may raise for values that it was not made for."""


@lru_cache(maxsize=1024)
def compiled(expression: str) -> ParsedResult:
    """Return an expression in the form that searches. Raises ValueError if it is not JMESPath."""
    import jmespath  # noqa: PLC0415 # see above

    return jmespath.compile(expression)


def search(expression: str, content: object) -> object:
    """Return what an expression finds in parsed JSON; None: nothing."""
    try:
        return compiled(expression).search(content)
    except FAILURES:  # their texts hold values of the content
        return None
