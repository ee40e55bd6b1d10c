"""The figures of a bench that have a limit, on lines that `all.py` gathers into one table."""

from __future__ import annotations

MARK = "= "


def reached(
    what: str, measured: float, unit: str = "", *, at_least: float | None = None, at_most: float | None = None
) -> bool:
    """Print a figure beside its limits; return whether it keeps to them."""
    is_reached = (at_least is None or measured >= at_least) and (at_most is None or measured <= at_most)
    limits = {"at least": at_least, "at most": at_most}
    to_reach = ", ".join(f"{name} {_of(limit, unit)}" for name, limit in limits.items() if limit is not None)
    print(f"{MARK}{what} | {_of(measured, unit)} | {to_reach} | {'reached' if is_reached else 'NOT REACHED'}")
    return is_reached


def _of(number: float, unit: str) -> str:
    shown = f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
    return f"{shown}{'' if unit in ('', 'x') else ' '}{unit}"
