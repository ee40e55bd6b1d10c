"""The message for one channel in one pass: at most one, however many notices there are."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final, Literal

from tallyd.core.alerts.notice_text import (
    Surroundings,
    mute_notice_text,
    notice_text,
    problems_text,
    shared_text,
)
from tallyd.core.alerts.notices import AlertPolicy, MuteNotice, News, Notice
from tallyd.core.alerts.rules import OWN, RUN_WHATS
from tallyd.core.alerts.wording import mute_command
from tallyd.core.language.messages import tr
from tallyd.core.language.templates import read_template
from tallyd.core.naming import key_segments, key_to_copy
from tallyd.core.texts import shortened

Tone = Literal["error", "warning", "over", "info"]

MOST_CHARS = 1500
"""Longest message that chats and phones still show and services still accept."""
MOST_LINE_CHARS = 500
MOST_SUBJECT_CHARS = 100
MOST_ALIKE = 3
"""Up to this many problems of one kind have a line each; more share one line."""


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a message to channels that can take one."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message as a person reads it. Plain text: no Markdown, no HTML, but names in it may look like either.

    `subject` is one line for channels that have a subject (mail). `text` is the whole message, with line
    feeds between lines; it does not need the subject. `tone` is that of the most serious line. `link` leads
    to the page; it is empty without a page. It is an ASCII URL and not in `text`, because it is never
    escaped. `files` are left out where a channel can take none.
    """

    subject: str
    text: str
    tone: Tone
    link: str = ""
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class _Line:
    rank: int
    tone: Tone
    since: datetime
    text: str
    count: int = 1
    commands: tuple[str, ...] = ()
    """What a person may run, each on a line of its own below the text."""

    def shown(self, indent: str = "") -> str:
        """Return the lines of the message."""
        # Half a command may do something else than the whole.
        commands = (each for each in self.commands if len(each) <= MOST_LINE_CHARS)
        return f"\n{indent}".join((shortened(self.text, MOST_LINE_CHARS), *commands))


def message_of(
    notices: Iterable[Notice], mutes: Iterable[MuteNotice], around: Surroundings
) -> Message | None:
    """Return the one message for all notices, most serious first; None if there is nothing to send."""
    notices, mutes = tuple(notices), tuple(mutes)
    lines = [*_lines(notices, around), *(_mute_line(each, around) for each in mutes)]
    if not lines:
        return None
    link = around.link([*(each.alert.key for each in notices), *(each.mute.pattern for each in mutes)])
    lines.sort(key=lambda line: (line.rank, line.since, line.text))
    prefix = f"[{shortened(around.name, 60)}] "
    if len(lines) == 1:
        (line,) = lines
        subject = shortened(prefix + line.text, MOST_SUBJECT_CHARS)
        return Message(subject=subject, text=prefix + line.shown(), tone=line.tone, link=link)
    heading = prefix + _heading(lines)
    subject = shortened(heading, MOST_SUBJECT_CHARS)
    tallyd = around.alert_policy_of(OWN).tallyd
    text = _joined(heading, lines, tallyd)
    return Message(subject=subject, text=text, tone=lines[0].tone, link=link)


def trial(name: str, text: str | None) -> Message:
    """Return what `tallyd notify` sends."""
    said = shortened(text or tr("a test message; this channel works"), MOST_CHARS)
    whole = f"[{shortened(name, 60)}] {said}"
    return Message(subject=shortened(whole, MOST_SUBJECT_CHARS), text=whole, tone="info")


def _joined(heading: str, lines: Sequence[_Line], tallyd: str) -> str:
    """Return the heading and as many lines as fit, and say how many are left out."""
    shown, used = [tr("{heading}:", heading=heading)], len(heading)
    for number, line in enumerate(lines):
        text = line.shown(indent="  ")
        used += len(text) + 3
        if used > MOST_CHARS:
            left = sum(each.count for each in lines[number:])
            shown.append(tr("... and {left} more. See all: {tallyd} alerts", left=left, tallyd=tallyd))
            break
        shown.append(f"- {text}")
    return "\n".join(shown)


def _heading(lines: Sequence[_Line]) -> str:
    """Return `2 problems, 1 resolved`."""
    problems = sum(line.count for line in lines if line.tone in ("error", "warning"))
    over = sum(line.count for line in lines if line.tone == "over")
    other = sum(line.count for line in lines if line.tone == "info")
    return tr(
        "{problems:# problem|# problems}{first_comma:, }{over:# resolved}"
        "{second_comma:, }{other:# notice|# notices}",
        problems=problems or None,
        first_comma=1 if problems and over else None,
        over=over or None,
        second_comma=1 if (problems or over) and other else None,
        other=other or None,
    )


# -- lines ---------------------------------------------------------------------------------------------------


def _lines(notices: Sequence[Notice], around: Surroundings) -> list[_Line]:
    """Return a line for each notice, or one line for many notices of one kind.

    A notice with a text from the config never shares a line, because a shared line has other words.
    """

    def group(notice: Notice) -> tuple[str, ...]:
        segments = key_segments(notice.alert.key)
        what = "run" if _is_end_of_run(notice) else segments[-1]
        return (notice.news, segments[0], what, shared_text(notice, "", around))

    found: list[_Line] = []
    for _, members in groupby(sorted(_without_doubles(notices), key=group), key=group):
        alike = sorted(members, key=lambda notice: (notice.alert.since, notice.alert.key))
        if len(alike) > MOST_ALIKE and not any(_has_own_text(notice, around) for notice in alike):
            found.append(_shared_line(alike, around))
        else:
            found += [_line(notice, around) for notice in alike]
    return found


def _is_end_of_run(notice: Notice) -> bool:
    segments = key_segments(notice.alert.key)
    return notice.news == "over" and len(segments) == 3 and segments[-1] in RUN_WHATS


def _without_doubles(notices: Sequence[Notice]) -> list[Notice]:
    """Return the notices; if one reading resolved `failed` and `missed`, only the older of the two."""
    found: dict[tuple[object, ...], Notice] = {}
    for notice in sorted(notices, key=lambda notice: (notice.alert.since, notice.alert.key)):
        alert = notice.alert
        same = (
            (key_segments(alert.key)[:2], alert.over_at)
            if _is_end_of_run(notice)
            else (alert.key, notice.news)
        )
        found.setdefault(same, notice)
    return list(found.values())


def _has_own_text(notice: Notice, around: Surroundings) -> bool:
    own = around.alert_policy_of(notice.alert.key).own_text(notice.alert.key)
    return (own.over if notice.news == "over" else own.text) is not None


def _line(notice: Notice, around: Surroundings) -> _Line:
    alert = notice.alert
    return _Line(
        _rank(notice),
        _tone(notice),
        alert.since,
        notice_text(notice, around),
        commands=_commands_below(notice, around.alert_policy_of(alert.key)),
    )


def _shared_line(alike: Sequence[Notice], around: Surroundings) -> _Line:
    worst = min(alike, key=_rank)
    poller, *_, what = key_segments(worst.alert.key)
    return _Line(
        _rank(worst),
        _tone(worst),
        alike[0].alert.since,
        shared_text(worst, problems_text([each.alert for each in alike], worst.alert, around), around),
        count=len(alike),
        commands=_commands_below(worst, around.alert_policy_of(worst.alert.key), f"{poller}/*/{what}"),
    )


def _commands_below(notice: Notice, policy: AlertPolicy, pattern: str = "") -> tuple[str, ...]:
    """Return what stands below the line of a notice, each with the word that says what it does.

    `pattern` is that of several problems, which share a line; empty: the problem has a line of its own, whose
    text says how to mute it.
    """
    alert = notice.alert
    if notice.news not in ("begins", "escalated"):
        return ()
    key = shlex.quote(pattern or key_to_copy(alert.key))
    commands = []
    if pattern and "mute" in read_template(alert.text).names:
        commands.append(tr("Mute: {command}", command=mute_command(policy.tallyd, key)))
    if policy.escalate and not alert.acknowledged:
        acknowledge = f"{policy.tallyd} ack {key}"
        commands.append(tr("Acknowledge: {command}", command=acknowledge))
    return tuple(commands)


def _mute_line(notice: MuteNotice, around: Surroundings) -> _Line:
    return _Line(6, "info", notice.mute.since, mute_notice_text(notice, around))


_FOR_INFORMATION: Final[Mapping[News, tuple[int, Tone]]] = {
    "over": (4, "over"),
    "unwatched": (5, "info"),
    "acknowledged": (6, "info"),
}
"""The place in the message and the tone of news that ask for nothing."""


def _rank(notice: Notice) -> int:
    """Return the place in the message, most serious first."""
    if notice.news in _FOR_INFORMATION:
        return _FOR_INFORMATION[notice.news][0]
    return (0 if notice.alert.severity == "error" else 2) + (notice.news == "reminder")


def _tone(notice: Notice) -> Tone:
    return _FOR_INFORMATION[notice.news][1] if notice.news in _FOR_INFORMATION else notice.alert.severity
