"""What a report as HTML shows of servers: how old data was, or how much of the time within the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import groupby
from operator import add

from tallyd.cli.report_servers import KIND, MOST_DRAWN, MOST_ROWS, NUMBERS, Drawn, PastLags, row_of
from tallyd.core.periods import LABELS, By
from tallyd.core.texts import visible
from tallyd.pollers.servers.lag_history import Lags
from tallyd.web.drawing import drawing
from tallyd.web.plots import lags_plot, shares_plot
from tallyd.web.report_view import Chapter, Plot, Table, table

_TEXTS = ("target", *LABELS["hour"], "week", "month", "year")


def lags_chapter(past: PastLags, by: By | None) -> Chapter:
    """Return one poller's targets: all in tables, and those drawn that were least within their limit."""
    targets = {name: tuple(group) for name, group in groupby(past.lags, key=lambda lags: lags.server)}
    plots = [_lag(each, past) for each in past.drawn]
    if by:
        plots = [_shares(name, targets[name], by) for name in [*targets][:MOST_DRAWN]]
    rest = [lags for name in [*targets][MOST_DRAWN:] for lags in targets[name]]
    all_of_them = (_sums(targets),) if targets else ()
    note = f"The {MOST_DRAWN} targets least within their limit are drawn; below them, all are in a table."
    return Chapter(
        poller=past.poller,
        kind=KIND,
        zone=str(past.zone),
        first=past.first,
        last=past.last,
        said=_said(past.lags, len(targets)),
        notes=(note,) if rest else (),
        before=() if rest else all_of_them,
        plots=tuple(plots),
        after=(*all_of_them, *([_table(rest, "Targets that are not drawn")] if by else ())) if rest else (),
    )


def _said(found: Sequence[Lags], targets: int) -> str:
    if not found:
        return "no checks"
    count = reduce(add, (lags.count for lags in found))
    said = "1 target" if targets == 1 else f"{targets} targets"
    shares = f"{count.within_limit_share:.2%} within the limit, {count.fresh_share:.2%} fresh"
    return f"{said}, {count.checks} checks, {shares}"


def _sums(targets: Mapping[str, Sequence[Lags]]) -> Table:
    """Return each target in a row, the one that was least within its limit first."""
    wholes = [
        Lags(server=name, labels={}, count=reduce(add, (lags.count for lags in found)))
        for name, found in targets.items()
    ]
    return _table(wholes, "Targets, the least within their limit first")


def _table(found: Sequence[Lags], caption: str, *, but: int = 0) -> Table:
    """Return checks as a table, without its first `but` columns."""
    headings = ("target", *found[0].labels, *NUMBERS)[but:]
    return table(caption, headings, [row_of(lags)[but:] for lags in found], texts=_TEXTS, is_ranked=not but)


def _lag(drawn: Drawn, past: PastLags) -> Plot:
    name = visible(drawn.target)
    cut = f" (the newest {MOST_ROWS} changes)" if drawn.is_cut else ""
    return Plot(
        heading=f"How old the data of {name} was{cut}",
        drawing=drawing(lags_plot(drawn.points, stale_after_s=drawn.stale_after_s, zone=past.zone)),
        table=_table(drawn.lags, f"Checks of {name}", but=1),
        nothing=drawn.nothing,
    )


def _shares(name: str, found: Sequence[Lags], by: By) -> Plot:
    chart = shares_plot([lags.labels for lags in found], [lags.count for lags in found], by=by)
    return Plot(
        heading=f"For how much of the time the data of {visible(name)} was within its limit, by {by}",
        drawing=drawing(chart),
        table=_table(found, f"Checks of {visible(name)} by {by}", but=1),
        nothing="there was no check",
    )
