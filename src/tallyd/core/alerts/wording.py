"""Problems in words: fills the templates when somebody reads them."""

from __future__ import annotations

import shlex
from typing import Final

from tallyd.core.alerts.values import At, Name, Value, Wording
from tallyd.core.language.messages import mark, translation
from tallyd.core.language.templates import read_template
from tallyd.core.naming import key_to_copy
from tallyd.core.reading import Problem

REMINDING: Final = mark("[still, after {lasted}: ]")
"""Prefix of a text that does not say itself that it is a reminder."""
ENDING: Final = mark(
    " since {ended}, after {lasted}[; {missing:# reading|# readings} missing ({missing})].[ It was: {was}]"
)
"""Suffix of the text of an end that does not say itself since when."""

UNWATCHED: Final = mark("no longer watched: {key}, open since {since}; it was removed")
"""Text of the end of a problem that the config does not ask for any more."""
OUTSIDE_HOURS: Final = mark("outside its hours since {ended}, after {lasted}: {was}")
"""Text of the end of a problem that the config does not ask for at this hour."""

ALWAYS: Final = frozenset({"key", "since", "tallyd", "mute"})
"""The placeholders of every text: its key, quoted for a command; since when; `tallyd` as people call it; the
command that mutes it, empty if it is muted."""
OF_TEXT: Final = ALWAYS | {"lasted"}
"""... of the text of a problem. `lasted` is only there in a reminder."""
OF_OVER: Final = ALWAYS | {"lasted", "ended", "missing", "was"}
"""... of the text of an end. `was` is the text of the problem, if nobody was notified of it, or
if its end was not judged."""

_NAMES: Final = frozenset(
    {
        *("poller", "part", "source", "target", "channel", "name", "ssid", "id"),
        *("requirement", "qualification"),
        *("host", "only", "folder", "file", "inbox", "gone", "unmounted", "zone", "key", "tallyd", "mute"),
    }
)
"""The placeholders for names, which nobody translates. A source may be called `stale`."""


def said(problem: Problem, wording: Wording, **more: Value) -> str:
    """Return the text of a problem for a reader."""
    return _filled(problem.text, problem, wording, more)


def said_of_end(problem: Problem, wording: Wording, **more: Value) -> str:
    """Return the text of a problem's end for a reader."""
    return _filled(problem.over, problem, wording, more)


def mute_command(tallyd: str, key: str) -> str:
    """Return the command that mutes a key or a pattern, which is quoted for a shell."""
    return f"{tallyd} mute {key} --for 2h"


def _filled(text: str, problem: Problem, wording: Wording, more: dict[str, Value]) -> str:
    key = shlex.quote(key_to_copy(problem.key))
    values = {
        **problem.fields,
        "key": key,
        "since": At(problem.since),
        "tallyd": wording.tallyd,
        "mute": mute_command(wording.tallyd, key) if wording.advises_mute else "",
        **more,
    }
    named = {
        name: Name(value) if name in _NAMES and isinstance(value, str) else value
        for name, value in values.items()
    }
    return read_template(_translation(text)).filled(named, wording.shown)


def _translation(text: str) -> str:
    """Return a text of tallyd in the reader's language; one from the config as it is."""
    before = REMINDING if text.startswith(REMINDING) else ""
    after = ENDING if text.endswith(ENDING) else ""
    itself = text[len(before) : len(text) - len(after)]
    return translation(before) + translation(itself) + translation(after)
