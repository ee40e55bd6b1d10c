"""The settings of a group of targets."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from tallyd.core.reading import Severity
from tallyd.core.texts import UNPRINTABLE
from tallyd.settings.alerting import ChannelName
from tallyd.settings.types import Strict, as_tuple, wrong


def _label(written: str) -> str:
    if written != written.strip() or UNPRINTABLE.search(written):
        raise wrong("must be a text without spaces around it and without invisible characters")
    return written


Label = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_label)]


class AlertKeys(Strict):
    """Who is notified of the problems of one target or one group, and how serious they are."""

    channels: Annotated[tuple[ChannelName, ...], BeforeValidator(as_tuple)] | None = Field(
        None,
        description="Channels to notify of its problems, instead of those in `alerts.channels`. Empty: none.",
    )
    severity: Severity | None = Field(
        None,
        description="Severity of all its problems, `warning` or `error`. Default: that of each kind of "
        "problem, see docs/alerts.md.",
    )


class GroupSettings(AlertKeys):
    """Settings of a group of targets. For keys that a target sets itself, those of the target count."""
