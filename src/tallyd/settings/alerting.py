"""Settings of alerts: recipients, thresholds, reminders, quiet hours and own texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from typing import Annotated
from urllib.parse import unquote

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from tallyd.core.addresses import HOW_TO_ESCAPE, is_ambiguous
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.wording import OF_OVER, OF_TEXT
from tallyd.core.language.languages import Language
from tallyd.core.language.messages import english
from tallyd.core.language.templates import TemplateError, read_template
from tallyd.core.schedule.hours import Hours
from tallyd.core.schedule.timetable import EVERY_DAY
from tallyd.settings.calendars import CalendarByName
from tallyd.settings.secrets import Secret, is_placeholder
from tallyd.settings.types import (
    Days,
    Duration,
    PositiveInt,
    Seconds,
    Strict,
    TimeOfDay,
    as_tuple,
    did_you_mean,
    not_at_top,
    within,
    wrong,
    wrong_each,
)

NAME = r"^[a-z0-9][a-z0-9_-]*$"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.+)", re.DOTALL)
_ROCKET_CHAT = re.compile(r"https?://[^/?#\s]+(?:/[^?#\s]*)?/hooks/[^/?#\s]+/[^/?#\s]+/?", re.IGNORECASE)
_LONGEST_TEXT = 2000


def _is_channel(name: str, info: ValidationInfo) -> str:
    """Return the name if `channels` at the top has it. The validation context holds the names."""
    known: tuple[str, ...] | None = (info.context or {}).get("channels")
    if known is not None and name not in known:
        raise not_at_top("channel", name, known)
    return name


def _check_channel(url: str) -> None:
    """Raise `wrong()` unless it looks like a channel's URL. Apprise checks it when all the file is fine."""
    found = _SCHEME.fullmatch(url)
    if not found or any(char <= " " for char in url):
        raise wrong(
            english("must be a channel URL such as tgram://BOT_TOKEN/CHAT_ID, or a Rocket.Chat webhook")
        )
    if is_ambiguous(url, at_may_follow="anywhere"):
        raise wrong(HOW_TO_ESCAPE)
    placeholders = [part for part in re.split(r"[/:@?&=#]", unquote(found[2])) if is_placeholder(part)]
    if placeholders:
        text = english(
            'contains the placeholder "{name}"; replace it with the real value', name=placeholders[0]
        )
        raise wrong(text)
    if found[1].lower() in ("http", "https") and not _ROCKET_CHAT.fullmatch(url):
        text = english(
            "is a web address, but not a Rocket.Chat webhook (https://host/hooks/ID/TOKEN); "
            "for your own webhook write jsons://host/path"
        )
        raise wrong(text)


ChannelName = Annotated[str, Field(pattern=NAME, max_length=60), AfterValidator(_is_channel)]
ChannelUrl = Annotated[Secret, AfterValidator(lambda secret: secret.check(_check_channel))]


class ChannelSettings(Strict):
    """One channel. A plain URL in its place has no language of its own."""

    url: ChannelUrl = Field(
        description="URL of Apprise (https://appriseit.com), or a webhook of Rocket.Chat. A secret."
    )
    language: Language | None = Field(
        None, description="Language of its notices: `en`, `de` or `zh-TW`. Default: that of the config."
    )


def _as_channel(written: object, info: ValidationInfo) -> object:
    # Not {"url": written}: the file has no `url` that a problem could name.
    if isinstance(written, str):
        return ChannelSettings(url=Secret.read(written, info).check(_check_channel))
    if not isinstance(written, dict | ChannelSettings):
        raise wrong('must be a channel URL, or an object with "url" and "language"')
    return written


ChannelOrUrl = Annotated[
    ChannelSettings, BeforeValidator(_as_channel, json_schema_input_type=ChannelUrl | ChannelSettings)
]


def _has_channel(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise wrong("must name at least one channel")
    return names


class HoursSettings(Strict):
    """Hours of the day, by the wall clock."""

    days: Days = Field(EVERY_DAY, description="Days on which the hours start. Default: every day.")
    start: TimeOfDay = Field(alias="from", description="Start of the hours.")
    end: TimeOfDay = Field(
        alias="to",
        description="End of the hours. Before `from`: on the next day. Equal to `from`: a whole day.",
    )
    calendar: CalendarByName | None = Field(
        None,
        description="Name of a calendar in `calendars`. The hours then start only on days of `days` that are "
        "open in it.",
    )

    days_off: bool = Field(
        False,
        description="With `calendar`: the hours start only on its days off. Whole days that are off are from "
        "00:00 to 00:00.",
    )

    @field_validator("days_off")
    @classmethod
    def _has_calendar(cls, days_off: bool, info: ValidationInfo) -> bool:
        if days_off and "calendar" in info.data and info.data["calendar"] is None:
            raise wrong("needs `calendar`, which says what days are off")
        return days_off

    @property
    def hours(self) -> Hours:
        return Hours(self.days, self.start, self.end, self.calendar, self.days_off)


Text = Annotated[str, Field(min_length=1, max_length=_LONGEST_TEXT)]


class TextSettings(Strict):
    """Your own texts for one kind of problem. A plain text in its place replaces `text`."""

    text: Text | None = Field(None, description="Text of the problem. Default: see docs/alerts.md.")
    over: Text | None = Field(None, description="Text when it is resolved. Default: see docs/alerts.md.")


def _as_texts(written: object) -> object:
    if not isinstance(written, str | dict | TextSettings):
        raise wrong('must be a text, or an object with "text" and "over"')
    return {"text": written} if isinstance(written, str) else written


_OR_PLAIN = BeforeValidator(_as_texts, json_schema_input_type=Text | TextSettings)


class EscalationSettings(Strict):
    """Further channels for an alert that stays open."""

    after: Annotated[Duration, AfterValidator(within(60.0))] = Field(
        description="How long the alert is open, and nobody has acknowledged it."
    )
    channels: Annotated[tuple[ChannelName, ...], BeforeValidator(as_tuple), AfterValidator(_has_channel)] = (
        Field(description="Channels that are then notified too, also of its end.")
    )


class AlertSettings(Strict):
    """How alerts are sent."""

    channels: Annotated[tuple[ChannelName, ...], BeforeValidator(as_tuple)] = Field(
        (), description="Channels to notify. Empty: alerts appear only in `tallyd status`."
    )
    raise_after: PositiveInt = Field(
        1,
        le=1000,
        description="Alert after this many bad readings in a row; a missed reading counts as bad.",
    )
    resolve_after: PositiveInt = Field(
        1, le=1000, description="Resolve the alert after this many good readings in a row."
    )
    remind_every: Annotated[Duration, AfterValidator(within(60.0))] | None = Field(
        Seconds(86400), description="How often to send a reminder while the alert is open; null: never."
    )
    escalate: Annotated[tuple[EscalationSettings, ...], BeforeValidator(as_tuple)] = Field(
        (),
        description="Further channels to notify of an alert that is still open and that nobody has "
        "acknowledged (`tallyd ack`).",
    )
    depends: bool = Field(
        True,
        description="Hold back alerts about targets that do not answer while no target on any other machine "
        "does (`tallyd/network`).",
    )
    quiet_hours: Annotated[tuple[HoursSettings, ...], BeforeValidator(as_tuple)] = Field(
        (), description="Hours in which warnings wait; errors do not. Afterwards one message gives the state."
    )
    texts: dict[str, Annotated[TextSettings, _OR_PLAIN]] = Field(
        {},
        description="Your own texts, by the last part of the problem's key: one text, or `text` and `over`. "
        "docs/alerts.md lists the keys and their placeholders.",
        json_schema_extra={
            "examples": [
                {
                    "missed": "{poller}: Lücke um {slots}",
                    "stale": {"text": "{target}: seit {computed} alt", "over": "{target}: wieder frisch"},
                }
            ]
        },
    )


def check_texts(texts: Mapping[str, TextSettings], kinds: Iterable[AlertKind]) -> None:
    """Raise `wrong_each()` unless every text belongs to one of the kinds and uses only its placeholders."""
    by_what = {kind.what: kind for kind in kinds}
    problems: list[tuple[tuple[str, ...], str]] = []
    for what, own in texts.items():
        if what not in by_what:
            known = tuple(sorted(by_what))
            hint = did_you_mean(what, known) or f"; known here: {', '.join(known)}"
            where = "; texts for a poller's problems belong in that poller, texts for tallyd's own at the top"
            problems.append((("texts", what), f"there is no such problem here{hint}{where}"))
            continue
        kind = by_what[what]
        for key, text, more in (("text", own.text, OF_TEXT), ("over", own.over, OF_OVER)):
            trouble = None if text is None else _trouble(text, kind.fields | more)
            if trouble is not None:
                problems.append((("texts", what, key), trouble))
    if problems:
        raise wrong_each(problems)


def _trouble(text: str, fields: Set[str]) -> str | None:
    """Return what is wrong with a text that may use only these placeholders; None: nothing."""
    try:
        template = read_template(text)
    except TemplateError as error:
        return str(error)
    unknown = sorted(template.names - fields)
    if not unknown:
        is_blank = not template.filled(dict.fromkeys(fields, "x")).strip()
        return "would be empty" if is_blank else None
    listed = ", ".join(f"{{{name}}}" for name in sorted(fields))
    return f"unknown placeholder {{{unknown[0]}}}{did_you_mean(unknown[0], tuple(fields))}; known: {listed}"
