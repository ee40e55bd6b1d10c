"""The kinds of problems: severity, text, and what resolves each.

The daemon's own kinds are in `daemon_alerts.py`, those of jobs in `run_alerts.py`, those of a poller in its
folder. docs/alerts.md lists all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from sys import intern

from tallyd.core.alerts.values import Fields, Name, Value, Wording
from tallyd.core.alerts.wording import ENDING, REMINDING
from tallyd.core.language.templates import read_template
from tallyd.core.naming import key_segments, problem_key
from tallyd.core.reading import Problem, Severity


@dataclass(frozen=True, kw_only=True)
class AlertKind:
    """One kind of problem.

    `key` is in the form that people read (`<poller>/<job>/failed`). `text` and `over` are templates
    (`templates.py`) for the beginning and the end; "since ..." follows `over`. `ends` says what resolves it.
    `short` is a few words beside the name of the subject: `unreachable`. `many` describes several subjects at
    once: `targets unreachable`. `subject` is the placeholder with the name of the subject for people; empty:
    a segment of the key has it.
    """

    key: str
    severity: Severity
    text: str
    over: str
    ends: str
    short: str
    many: str
    subject: str = ""
    at_once: bool = False

    @property
    def what(self) -> str:
        """The last segment of its keys."""
        return self.key.rsplit("/", maxsplit=1)[-1]

    @property
    def fields(self) -> frozenset[str]:
        """Its own placeholders that a text in the config may use, besides those of `wording.py`."""
        return read_template(self.text).names | read_template(self.over).names

    @property
    def has_subject(self) -> bool:
        """Whether a key names what it is about. A job, the database or the inbox says people nothing more."""
        _, *between, _ = self.key.split("/")
        return bool(between) and between[0].startswith("<") and between[0] != "<job>"

    def problem(self, *segments: str, since: datetime, **fields: Value | None) -> Problem:
        """Return a problem of this kind. `segments` are the parts of its key before `what`."""
        return Problem(
            key=problem_key(*segments, self.what),
            text=intern(REMINDING + self.text),  # one text, however many problems share it
            over=intern(self.over + ENDING),
            since=since,
            severity=self.severity,
            at_once=self.at_once,
            fields=_given(fields),
        )


def name_of(key: str, fields: Fields, kind: AlertKind | None, wording: Wording) -> str:
    """Return the name of a problem's subject for people: its label if it has one. `kind` None: unknown."""
    label = fields.get(kind.subject) if kind else None
    poller, *between, _ = key_segments(key)
    shown = wording.shown(Name(label) if isinstance(label, str) else label) if label is not None else ""
    return shown or " ".join(between) or poller


def _given(fields: dict[str, Value | None]) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}
