"""What the page shows of the pollers of one kind. `page_kinds.py` says which class does it for which kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request

from tallyd.contract.poller import Poller
from tallyd.core.errors import RecordsError
from tallyd.core.stored import LastReading
from tallyd.web.page_data import PageData
from tallyd.web.plots import Chart
from tallyd.web.views import Card, Standing

P = TypeVar("P", bound=Poller)
T = TypeVar("T")

Parts = Mapping[str, str]
PARTS: Parts = {"head": "_head.html", "title": "_title.html", "card": "_card.html"}
"""The parts of every poller's view."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One poller on the page: what is the same of every kind, and `view`, which the macro `numbers` shows."""

    card: Card
    numbers: str
    view: Any


@dataclass(frozen=True, kw_only=True)
class View:
    """One poller's own page: its template, the parts of it that are kept up to date, and what they show."""

    template: str
    parts: Parts
    values: Callable[[Standing], Mapping[str, Any]]


class KindPage(Generic[P]):
    """Reads and answers for the pollers of one kind; `name` is always one of them. Any number of threads.

    Raises `StateError` where state.db can't be read; a database that can't be is told in what is returned.
    """

    last_label: ClassVar[str] = "Last reading"

    def __init__(self, data: PageData) -> None:
        self._data = data

    def poller(self, name: str) -> P:
        return cast("P", self._data.pollers[name])

    def last(self, name: str, standing: Standing) -> LastReading | None:
        """Return when a poller was last read, by itself or by hand."""
        return self._data.context.state.readings.last_taken(name, now=standing.now)

    def shown(self, name: str, standing: Standing) -> Shown:
        """Return a poller as the overview shows it."""
        raise NotImplementedError

    def view(self, name: str, request: Request) -> View:
        """Return a poller's own page. Raises `HTTPException` where what is asked for makes no sense."""
        raise NotImplementedError

    def chart(self, name: str, request: Request) -> tuple[Chart, str]:
        """Return the large plot, and why there is nothing to draw where there is not."""
        raise NotImplementedError

    def day_csv(self, name: str, request: Request) -> tuple[str, str]:
        """Return the name and the content of a file with the numbers of one day."""
        del request
        raise HTTPException(404, f"{name} counts no visitors")

    def card(self, name: str, standing: Standing) -> Card:
        """Return what is the same of every kind."""
        return self._data.card(
            name, standing, last=self.last(name, standing), last_label=self.last_label_of(name)
        )

    def last_label_of(self, name: str) -> str:
        """Return what the instant of `last` is called."""
        del name
        return self.last_label


def or_trouble(read: Callable[[], T], otherwise: T) -> tuple[T, str]:
    """Return what was read; where the database can't be, `otherwise` and why."""
    try:
        return read(), ""
    except RecordsError as error:
        return otherwise, error.text


def unreadable(trouble: str) -> HTTPException:
    """Return the answer where the database can't be read now."""
    return HTTPException(503, f"the numbers can't be read now: {trouble}")
