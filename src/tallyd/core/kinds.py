"""The kinds of problems: for each its severity, its text, and what ends it.

A kind stands where its problem is found: those of the daemon in `failures.py`, those of a poller beside it.
docs/alerts.md lists all of them.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from tallyd.core.naming import problem_key
from tallyd.core.reading import Problem, Severity
from tallyd.core.templates import Template, read_template


@dataclass(frozen=True, kw_only=True)
class AlertKind:
    """One kind of problem.

    `key` is as people read it (`<poller>/<job>/failed`), `text` and `over` are templates (`templates.py`):
    what is said when it begins, and when it is over. `ends` is a sentence about what ends it. `many` says of
    several subjects at once what they share: `targets unreachable`. `fields` are the placeholders that a text
    of the config may use, `key` (quoted for a shell) always among them.
    """

    key: str
    severity: Severity
    text: str
    over: str
    ends: str
    many: str
    at_once: bool = False

    @property
    def what(self) -> str:
        """The last segment of its keys."""
        return self.key.rsplit("/", maxsplit=1)[-1]

    @property
    def fields(self) -> frozenset[str]:
        """The placeholders that a text of the config may use."""
        return self._text.names | self._over.names | {"key"}

    @cached_property
    def _text(self) -> Template:
        return read_template(self.text)

    @cached_property
    def _over(self) -> Template:
        return read_template(self.over)

    def problem(self, *segments: str, since: datetime, **fields: str) -> Problem:
        """Return a problem of this kind; `segments` are those of its key in front of `what`."""
        key = problem_key(*segments, self.what)
        filled = {"key": shlex.quote(key), **fields}
        return Problem(
            key=key,
            text=self._text.filled(filled),
            over=self._over.filled(filled),
            since=since,
            severity=self.severity,
            at_once=self.at_once,
            fields=filled,
        )
