"""The questions to a person who wants to watch servers."""

from __future__ import annotations

from urllib.parse import urlsplit

from tallyd.core.language.messages import mark
from tallyd.core.questions import Question
from tallyd.core.reading import Json


def _targets(typed: str) -> Json:
    """Return the targets of a list of `NAME=URL` or `URL`. The default name is the host."""
    targets: dict[str, Json] = {}
    for word in typed.split():
        before, equals, after = word.partition("=")
        is_named = bool(equals) and "://" not in before
        url = after if is_named else word
        wanted = before if is_named else _host_of(url)
        name, number = wanted, 2
        while name in targets:
            name, number = f"{wanted}-{number}", number + 1
        targets[name] = {"url": url}
    return targets


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).netloc or "server"
    except ValueError:
        return "server"


QUESTIONS = (
    Question(
        key=("targets",),
        text=mark("Addresses of the servers"),
        help=mark("URLs that answer with JSON, separated by spaces; with a name: PROD=https://host/version"),
        read=_targets,
    ),
    Question(
        key=("defaults", "field"),
        text=mark("Field with the time of the data"),
        help=mark('The field of the answer with that time; "data.time" is a field inside another.'),
        default="computed_time",
    ),
    Question(
        key=("defaults", "format"),
        text=mark("Format of that time"),
        help=mark("iso (2026-11-20T08:00:00Z), epoch (seconds), epoch_ms, or a format such as %Y%m%d%H%M%S."),
        default="iso",
        tries=True,
    ),
    Question(
        key=("defaults", "stale_after"),
        text=mark("Alert when data is older than"),
        help=mark("For example 15m or 2h."),
        default="15m",
    ),
    Question(
        key=("every",), text=mark("How often to ask"), help=mark("For example 60s or 5m."), default="60s"
    ),
)
