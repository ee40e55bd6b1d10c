"""A look at a poller's inbox and at the database that changes nothing, for `check --online`."""

from __future__ import annotations

from collections.abc import Collection

from tallyd.contract.inbox import Inbox
from tallyd.contract.poller import Found
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import RecordsError, SourceError
from tallyd.core.language.messages import english
from tallyd.core.schedule.days import day_of, day_span
from tallyd.pollers.visitors.settings import VisitorsSettings


def probe(settings: VisitorsSettings, tools: Toolbox) -> tuple[Found, ...]:
    """Return today's passages in, by source. Raises `SourceError` if that can't be read."""
    if tools.records is None:
        raise TypeError("wired without a database")
    seen = _seen(settings, tools.inbox) if tools.inbox else frozenset()
    now = tools.now()
    try:
        counts = tools.records.counts(*day_span(day_of(now, tools.zone), tools.zone))
        arrived = tools.records.arrivals(now)
    except RecordsError as error:
        raise SourceError(error.text, transient=True) from None
    sources = dict.fromkeys([*settings.sources, *sorted({*counts, *arrived, *seen})])
    return tuple(
        Found(name, settings.label_of(name), counts[name].n_in if name in counts else 0) for name in sources
    )


def _seen(settings: VisitorsSettings, inbox: Inbox) -> Collection[str]:
    """Return the sources that have files in the inbox now. Raises `SourceError`."""
    look = inbox.look()
    if look.state != "here":
        gone = english("the inbox {inbox_name} is missing", inbox_name=settings.inbox)
        unmounted = english("the inbox {inbox_name} has nothing mounted on it", inbox_name=settings.inbox)
        raise SourceError(gone if look.state == "gone" else unmounted, transient=True)
    for name, reason in look.untakable.items():
        why = english(
            "inbox {inbox_name}: {name}: {reason}", inbox_name=settings.inbox, name=name, reason=reason
        )
        raise SourceError(why, transient=True)
    return look.arrivals.keys()
