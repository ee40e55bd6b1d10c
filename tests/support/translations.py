"""Catalogs that a test writes itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from tallyd.core.language import catalogs, stored
from tallyd.core.language.catalogs import Domain
from tallyd.core.language.languages import Language

Use = Callable[..., None]


@contextmanager
def catalogs_of(catalog: Callable[[Domain, Language], Mapping[str, str]]) -> Iterator[None]:
    """Replace the catalogs of every language by those that `catalog` returns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogs, "catalog", catalog)
        _forget()
        yield
    _forget()


@pytest.fixture
def use_translations() -> Iterator[Use]:
    """Return a function that replaces the catalogs of every language."""
    with ExitStack() as stack:

        def use(*, tallyd: Mapping[str, str] | None = None, stored: Mapping[str, str] | None = None) -> None:
            known: dict[Domain, Mapping[str, str]] = {"tallyd": tallyd or {}, "stored": stored or {}}
            stack.enter_context(catalogs_of(lambda domain, _wanted: known[domain]))

        yield use


def _forget() -> None:
    """Forget what was found in other catalogs."""
    stored.known_patterns.cache_clear()
    stored.of_stored.cache_clear()
