"""Catalogs that a test writes itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from tallyd.core.language import messages

Use = Callable[..., None]


@pytest.fixture
def use_translations(monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    """Return a function that replaces the catalogs of every language."""

    def use(*, tallyd: Mapping[str, str] | None = None, stored: Mapping[str, str] | None = None) -> None:
        known = {"tallyd": tallyd or {}, "stored": stored or {}}
        monkeypatch.setattr(messages, "catalog", lambda domain, _wanted: known[domain])
        forget()

    yield use
    monkeypatch.undo()
    forget()


def forget() -> None:
    """Forget what was found in other catalogs."""
    messages.known_patterns.cache_clear()
    messages.of_stored.cache_clear()
