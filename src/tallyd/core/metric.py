"""A metric of Prometheus, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A Prometheus gauge: `labels` are the names of its labels, `samples` pairs of their values and a number.

    A number that is hidden or not known has no sample.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    samples: list[tuple[tuple[str, ...], float]] = field(default_factory=list)
