"""The page of servers: a table of targets, and how the lag of one went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from tallyd.core.errors import RecordsError
from tallyd.core.freshness import Known
from tallyd.core.lags import HourCount
from tallyd.core.stored import LastReading
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.web import view_lags
from tallyd.web.checks import Checks
from tallyd.web.kept import memory_of
from tallyd.web.kind_page import PARTS, KindPage, Shown, View, or_trouble, unreadable
from tallyd.web.page_data import PageData
from tallyd.web.plots import Chart, lags_plot
from tallyd.web.svg import Line
from tallyd.web.view_lags import LagsView, lags_view
from tallyd.web.view_servers import ROWS_A_PAGE, SORTS, Sort, servers_view, with_plots
from tallyd.web.views import Standing

LAGS_BACK: Final = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class Order:
    """How the table of targets is asked for; without anything, the most serious few."""

    sort: Sort = "state"
    is_reversed: bool = False
    page: int = 1
    rows_a_page: int = 8


class ServersPage(KindPage[ServersPoller]):
    """Reads what the job has in memory, and the database for the past."""

    last_label = "Last check"

    def __init__(self, data: PageData) -> None:
        super().__init__(data)
        self._checks = Checks(data.context)

    def last(self, name: str, standing: Standing) -> LastReading | None:
        book, taken = memory_of(self._data.context, name), super().last(name, standing)
        # A copy: a round may be changing it just now.
        checked_at = max(dict(book.checked_at).values(), default=None) or book.written_at
        found = [LastReading(checked_at)] if checked_at else []
        return max([*found, *([taken] if taken else [])], key=lambda each: each.at, default=None)

    def shown(self, name: str, standing: Standing) -> Shown:
        return self._shown(name, standing, Order())

    def _shown(self, name: str, standing: Standing, order: Order) -> Shown:
        poller, known = self.poller(name), dict(memory_of(self._data.context, name).known)
        no_shares: Mapping[str, HourCount] = {}
        shares, trouble = or_trouble(lambda: self._checks.shares(name), no_shares)
        view = servers_view(
            poller.checked,
            known,
            shares,
            zone=self._data.zone(name),
            now=standing.now,
            sort=order.sort,
            is_reversed=order.is_reversed,
            page=order.page,
            rows_a_page=order.rows_a_page,
        )
        if not trouble:  # else the plots would wait as long for the same answer
            limits_s = {target.name: target.limits.stale_after_s for target in poller.checked}
            shown_s = {target: limits_s[target] for target in view.names}
            no_plots: Mapping[str, Line | None] = {}
            plots, _ = or_trouble(
                lambda: self._checks.small_plots(name, shown_s, known, now=standing.now), no_plots
            )
            view = with_plots(view, plots)
        return Shown(card=self.card(name, standing), numbers="servers", view=view)

    def view(self, name: str, request: Request) -> View:
        order, target = _order(request), request.query_params.get("target", "")
        is_known = target in self.poller(name).targets
        return View(
            template="servers.html",
            parts={
                **PARTS,
                "targets": "_servers_table.html",
                **({"lags": "_servers_lags.html"} if is_known else {}),
            },
            values=lambda standing: {
                "one": self._shown(name, standing, order),
                "target": target if is_known else "",
                **({"lags": self._lags(name, target)} if is_known else {}),
            },
        )

    def chart(self, name: str, request: Request) -> tuple[Chart, str]:
        target = request.query_params.get("target", "")
        if target not in self.poller(name).targets:
            raise HTTPException(404, "there is no such target")
        try:
            points = self._points(name, target)
        except RecordsError as error:
            raise unreadable(error.text) from None
        limit_s, zone = self._stale_after_s(name, target), self._data.zone(name)
        return lags_plot(points, stale_after_s=limit_s, zone=zone), self._nothing(name, target)

    def _lags(self, name: str, target: str) -> LagsView:
        """Return the table behind the plot of a target's lag."""
        none: list[tuple[datetime, float]] = []
        points, trouble = or_trouble(lambda: self._points(name, target), none)
        if trouble:
            return LagsView(trouble=trouble)
        if not points:
            return LagsView(nothing=self._nothing(name, target))
        limit_s = self._stale_after_s(name, target)
        return lags_view(points, stale_after_s=limit_s, zone=self._data.zone(name), now=self._data.now())

    def _points(self, name: str, target: str) -> list[tuple[datetime, float]]:
        """Return a target's lag over time. Raises `RecordsError`."""
        return self._checks.points(name, target, self._known(name, target), LAGS_BACK)

    def _known(self, name: str, target: str) -> Known | None:
        return memory_of(self._data.context, name).known.get(target)

    def _nothing(self, name: str, target: str) -> str:
        """Return why nothing is known of a target's lag."""
        known, every_s = self._known(name, target), self.poller(name).every
        return view_lags.nothing_text(
            known, every_s=every_s, zone=self._data.zone(name), now=self._data.now()
        )

    def _stale_after_s(self, name: str, target: str) -> float:
        """Return the age in seconds above which a target's data is stale."""
        checked = self.poller(name).checked
        return next(each.limits.stale_after_s for each in checked if each.name == target)


def _order(request: Request) -> Order:
    sort, page = request.query_params.get("sort", "state"), request.query_params.get("page", "1")
    if sort not in SORTS:
        raise HTTPException(400, f"`sort` must be one of {', '.join(SORTS)}")
    if not page.isascii() or not page.isdecimal() or len(page) > 6:
        raise HTTPException(400, "`page` must be a number")
    is_reversed = request.query_params.get("down") == "1"
    return Order(sort=sort, is_reversed=is_reversed, page=int(page), rows_a_page=ROWS_A_PAGE)
