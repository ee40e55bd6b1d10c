"""Three failures, three fates: the config is wrong, the source failed, or tallyd was asked to stop.

Anything else that is raised is a bug. It is caught in one place, in daemon.py.
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
    """One thing that is wrong with the config.

    `place` is a dotted path into the file (`pollers.divera.accesskey`), empty for the file as a whole.
    `text` says what is wrong and what to do, and never holds a value that may be secret.
    """

    place: str
    text: str


class ConfigError(Exception):
    """The config can't be used. Carries every problem at once; ends a command with exit status 78.

    `names` are the paths of the files that it names (secrets), present or not: what may mend it.
    """

    def __init__(
        self, file: str, problems: tuple[ConfigProblem, ...], *, names: tuple[str, ...] = ()
    ) -> None:
        super().__init__(f"{file}: {len(problems)} problem(s)")
        self.names = names
        self.file = file
        self.problems = problems

    def lines(self, *, ending: str = "") -> list[str]:
        """One line a problem: `config.json: PLACE: TEXT (1 of 3 problems; nothing started)`."""
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        return [
            f"{self.file}: "
            + (f"{problem.place}: " if problem.place else "")
            + f"{problem.text} ({number} of {count} {noun}{ending})"
            for number, problem in enumerate(self.problems, start=1)
        ]


class SourceError(Exception):
    """A source did not answer, or not with something that can be counted.

    `transient`: another try may succeed. A refused key is not transient: trying again only hammers.
    `retry_after_s`: seconds the source asked us to wait, if it did. `status`: of the HTTP answer, if there
    was one.
    `text` names type, host and status, never a URL (the key stands in its query) and never a value
    out of a reply (it may be somebody's name).
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


class RecordsError(Exception):
    """The database of records can't be used now; nothing of the call was stored. `text` says why."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class InboxError(Exception):
    """A file or folder of an inbox can't be used now; nothing was changed. `text` says what and why."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class DeliveryError(Exception):
    """A channel did not take a message.

    `text` says why (service, host, status) and never holds a URL or a token.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and all that it came from, the outermost first, each once.

    requests and urllib3 hand the original on in `args`, in `reason` or as the cause, depending on the case.
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
