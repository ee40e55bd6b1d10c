"""`tallyd report`: counts over time, on stdout. Creates nothing where tallyd never ran.

Each kind of poller is reported in a way of its own (`report_asked.Part`); here is what they have in common.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TypeAlias, cast

from tallyd.adapters.state import State, StateError
from tallyd.cli.report_asked import Asked, Part, day_asked, usage
from tallyd.cli.report_readings import former_kind, readings
from tallyd.cli.report_servers import KIND as SERVERS
from tallyd.cli.report_servers import lags
from tallyd.cli.report_visits import KIND as VISITORS
from tallyd.cli.report_visits import visits
from tallyd.cli.shared import load_config, utc_now
from tallyd.config.model import Config
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, RecordsError
from tallyd.core.periods import By
from tallyd.presentation.terminal import complain, say, show_json

Report: TypeAlias = "Callable[[Config, tuple[str, ...], Asked], Part]"

OWN: dict[str, Report] = {VISITORS: visits, SERVERS: lags}
"""The kinds that have more than readings to show, in the order in which they are shown."""


def report(
    path: Path,
    *,
    start: str | None,
    end: str | None,
    poller: str | None,
    by: str | None,
    shape: str,
    excel: bool,
    source: str | None = None,
    group: str | None = None,
) -> int:
    """Print the counts of these days; return the exit status.

    Days are local dates of each poller's zone, both inclusive; without `start`, the last 30, of visitors, and
    of servers by the hour, today. `by` is one of `history.LABELS`, `shape` is `table`, `csv`, `json` or
    `html`; `excel` makes it `csv`. `source` or `group` is for visitors: only that one. Ends the command with
    status 2 for days, pollers and shapes that make no sense.
    """
    if excel and shape in ("json", "html"):
        usage(f"--excel is CSV, not {shape.upper()}; leave out --excel or --format {shape}")
    if source is not None and group is not None:
        usage("--source and --group can't go together; leave one out")
    config = load_config(path, lenient=True)
    asked = Asked(
        start=day_asked("--from", start),
        end=day_asked("--to", end),
        poller=poller,
        by=cast("By | None", by),
        source=source,
        group=group,
        now=utc_now(),
        with_plots=shape == "html",
    )
    shape = "csv" if excel else shape
    if shape == "csv" and poller is None and not asked.is_of_some:
        _refuse_mixture({name: each.kind for name, each in config.settings.pollers.items()})
    parts, troubles = _parts(config, asked)
    if shape == "html":
        # Here: what draws is not needed for anything else, and may not be installed.
        from tallyd.cli.report_html import show_html  # noqa: PLC0415 # see above

        return show_html(config, _shown(parts), troubles, now=asked.now)
    if troubles:  # what there is not was told by then
        parts = [part for part in parts if part.pollers]
    _show(parts, shape, asked, excel=excel)
    return EXIT_PROBLEM if troubles else EXIT_OK


def _refuse_mixture(kinds: Mapping[str, str]) -> None:
    """End the command where pollers are of kinds with different columns."""
    if len(set(kinds.values())) > 1:
        usage(f"one CSV can't hold pollers of different kinds; add --poller and one of: {', '.join(kinds)}")


def _parts(config: Config, asked: Asked) -> tuple[list[Part], tuple[str, ...]]:
    """Return what there is to report, kind by kind, and why something is missing, which is said too."""
    by_kind = _by_kind(config, asked)
    parts: list[Part] = []
    troubles: list[str] = []
    if _wants_readings(config, by_kind, asked):
        database = config.state_dir / "state.db"
        try:
            if database.exists():
                parts.append(readings(config, database, asked, but=OWN))
            else:
                troubles.append(f"tallyd has not run with {config.path} yet (no readings in {database})")
                complain(troubles[-1])
        except StateError as error:
            troubles.append(str(error))
            complain(f"tallyd: {error}")
    for kind, make in OWN.items():
        try:
            if by_kind.get(kind):
                parts.append(make(config, by_kind[kind], asked))
        except RecordsError as error:
            troubles.append(f"{', '.join(by_kind[kind])}: {error.text}")
            complain(f"tallyd: {error.text}")
    return parts, tuple(troubles)


def _by_kind(config: Config, asked: Asked) -> dict[str, tuple[str, ...]]:
    """Return the pollers asked for that are of a kind in `OWN`, by kind."""
    pollers: dict[str, str | None] = {name: poller.kind for name, poller in config.settings.pollers.items()}
    if asked.poller is not None:
        kind = pollers[asked.poller] if asked.poller in pollers else _former_kind(config, asked)
        pollers = {asked.poller: kind}
    found = {kind: tuple(name for name in pollers if pollers[name] == kind) for kind in OWN}
    if asked.is_of_some:
        found = {kind: names for kind, names in found.items() if kind == VISITORS}
        if not found[VISITORS]:
            option = "--source" if asked.source is not None else "--group"
            whose = f'"{asked.poller}" counts none' if asked.poller else "none of the pollers counts any"
            usage(f"{option} is for pollers that count visitors; {whose}")
    return found


def _former_kind(config: Config, asked: Asked) -> str | None:
    """Return the kind of a poller that is no longer configured; None where nothing is known of it."""
    database = config.state_dir / "state.db"
    if asked.poller is None or not database.exists():
        return None
    try:
        with closing(State(database)) as state:
            return former_kind(state, asked.poller, now=asked.now)
    except StateError:
        return None  # told where its readings are read


def _wants_readings(config: Config, by_kind: dict[str, tuple[str, ...]], asked: Asked) -> bool:
    """Whether readings are to be shown; where all kinds have more than that, only if there are older ones."""
    if asked.is_of_some:
        return False
    if asked.poller is not None:
        return not any(by_kind.values())
    pollers = config.settings.pollers.values()
    has_plain = not pollers or any(poller.kind not in OWN for poller in pollers)
    return has_plain or (config.state_dir / "state.db").exists()


# -- how it is shown ----------------------------------------------------------------------------------------


def _show(parts: list[Part], shape: str, asked: Asked, *, excel: bool) -> None:
    if shape == "json":
        if parts:
            show_json([content for part in parts for content in part.as_json()])
    elif shape == "csv":
        _write_csv(parts, asked, excel=excel)
    else:
        _show_tables(parts)
    sys.stdout.flush()  # so that a reader who went away (`| head`) is noticed where it is handled


def _show_tables(parts: list[Part]) -> None:
    for number, part in enumerate(_shown(parts)):
        if number:
            say()
        part.show()


def _shown(parts: list[Part]) -> list[Part]:
    """Return the parts that there is something to say of; where there is none, the first says so."""
    return [part for part in parts if part.pollers] or parts[:1]


def _write_csv(parts: list[Part], asked: Asked, *, excel: bool) -> None:
    shown = _shown(parts)
    if len(shown) > 1:  # of a poller that is no longer configured, its readings tell the kind
        names = ", ".join(name for part in shown for name in part.pollers)
        usage(f"one CSV can't hold pollers of different kinds; add --poller and one of: {names}")
    for part in shown:
        # As bytes: CSV is UTF-8 with CRLF whatever the locale says of stdout.
        sys.stdout.flush()
        name_pollers = asked.poller is None and len(part.pollers) > 1
        sys.stdout.buffer.write(part.as_csv(excel=excel, name_pollers=name_pollers).encode("utf-8"))
