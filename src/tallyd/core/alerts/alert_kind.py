"""The kinds of problems: for each its severity, its text, and what ends it.

A kind stands where its problem is found: the daemon's own in `daemon_alerts.py`, a poller's in its folder.
docs/alerts.md lists all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tallyd.core.alerts.templates import read_template
from tallyd.core.alerts.values import Fields, Value
from tallyd.core.alerts.wording import ENDING, REMINDING
from tallyd.core.naming import problem_key
from tallyd.core.reading import Problem, Severity


@dataclass(frozen=True, kw_only=True)
class AlertKind:
    """One kind of problem.

    `key` is as people read it (`<poller>/<job>/failed`), `text` and `over` are templates (`templates.py`):
    what is said when it begins, and when it is over, in front of since when. `ends` is a sentence about what
    ends it. `many` says of several subjects at once what they share: `targets unreachable`. `subject` is the
    placeholder that names one of them as people do; empty: a segment of the key does.
    """

    key: str
    severity: Severity
    text: str
    over: str
    ends: str
    many: str
    subject: str = ""
    at_once: bool = False

    @property
    def what(self) -> str:
        """The last segment of its keys."""
        return self.key.rsplit("/", maxsplit=1)[-1]

    @property
    def fields(self) -> frozenset[str]:
        """The placeholders of its own that a text of the config may use, beside those of `wording.py`."""
        return read_template(self.text).names | read_template(self.over).names

    def problem(self, *segments: str, since: datetime, **fields: Value | None) -> Problem:
        """Return a problem of this kind; `segments` are those of its key in front of `what`."""
        return Problem(
            key=problem_key(*segments, self.what),
            text=REMINDING + self.text,
            over=self.over + ENDING,
            since=since,
            severity=self.severity,
            at_once=self.at_once,
            fields=_given(fields),
        )


def _given(fields: dict[str, Value | None]) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}
