"""The expected failures: the config is wrong, something outside failed, or tallyd was asked to stop.

Any other exception is a bug. It is caught in one place, in `alerting/daemon_health.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

EXIT_OK = 0
EXIT_PROBLEM = 1
EXIT_USAGE = 2
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h; systemd shows it as 78/CONFIG


@dataclass(frozen=True)
class ConfigProblem:
    """One mistake in the config.

    `place` is a dotted path into the file (`pollers.divera.accesskey`), empty for the file as a whole.
    `text` says what is wrong and what to do, and never holds a value that may be secret.
    """

    place: str
    text: str


class ConfigError(Exception):
    """The config cannot be used. It holds every problem at once, and ends a command with exit status 78.

    `names` are the paths of the files that the config names (secrets), existing or not: they may fix it.
    """

    def __init__(
        self, file: str, problems: tuple[ConfigProblem, ...], *, names: tuple[str, ...] = ()
    ) -> None:
        super().__init__(f"{file}: {len(problems)} problem(s)")
        self.names = names
        self.file = file
        self.problems = problems

    def lines(self, *, ending: str = "") -> list[str]:
        """Return a line for each problem: `config.json: PLACE: TEXT (1 of 3 problems; nothing started)`."""
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        return [
            f"{self.file}: "
            + (f"{problem.place}: " if problem.place else "")
            + f"{problem.text} ({number} of {count} {noun}{ending})"
            for number, problem in enumerate(self.problems, start=1)
        ]


class SourceError(Exception):
    """A source did not reply, or its reply cannot be counted.

    `transient`: another try may succeed. A refused key is not transient: more tries would only hammer.
    `retry_after_s`: how many seconds the source asked us to wait, if it did. `status`: that of the HTTP
    reply, if there was one.
    `text` names type, host and status. It never holds a URL (its query has the key) and never a value from a
    reply (it may be a person's name).
    """

    def __init__(
        self,
        text: str,
        *,
        transient: bool,
        retry_after_s: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.transient = transient
        self.retry_after_s = retry_after_s
        self.status = status


class ExplainedError(Exception):
    """A failure that is explained to people by its `text`."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class RecordsError(ExplainedError):
    """The database of records cannot be used now. The call stored nothing."""


class InboxError(ExplainedError):
    """A file or folder of an inbox cannot be used now. Nothing was changed."""


class BackupError(ExplainedError):
    """A backup can't be made or used."""


class DeliveryError(ExplainedError):
    """A channel did not accept a message. The text (service, host, status) never holds a URL or a token."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and all its causes, the outermost first, each once.

    requests and urllib3 pass on the original in `args`, in `reason` or as the cause, depending on the case.
    """
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
        waiting.extend(found for found in inner if isinstance(found, BaseException))


class Stopped(Exception):  # noqa: N818 # not an error: a wait or a transfer was cut short because tallyd is ending
    """The shutdown began while this was waiting or reading."""
