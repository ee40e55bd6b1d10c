"""Chance that is the same in every run: each number belongs to what it is for."""

from __future__ import annotations

from random import Random

SEED = "tallyd"


def drawn_for(*what: object) -> Random:
    """Return a source of random numbers that belongs to `what` for ever."""
    return Random("/".join(map(str, (SEED, *what))))  # noqa: S311 # not for secrets


def chance(*what: object) -> float:
    """Return a number from 0 to 1 that belongs to `what` for ever."""
    return drawn_for(*what).random()
