"""What every kind of poller may set for itself, over the top of the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, field_validator

from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.daemon_alerts import RUN_KINDS
from tallyd.core.inbox_spec import InboxNeeded
from tallyd.settings.alerting import AlertSettings, check_texts
from tallyd.settings.types import Duration, PositiveInt, Seconds, Strict, Zone


class RetrySettings(Strict):
    """How often, and for how long, a failed request is tried again."""

    attempts: PositiveInt = Field(5, le=100, description="Tries in all, the first one included.")
    first_wait: Duration = Field(
        Seconds(15), description="Wait before the second try; doubled for each further one."
    )
    longest_wait: Duration = Field(
        Seconds(180),
        description="No wait within a run is longer. A source that asks for more (Retry-After) is not tried "
        "again in that run. A slot that failed is begun again after this pause, or after the longer one that "
        "the source asked for, until `catch_up` ends.",
    )
    give_up_after: Duration = Field(
        Seconds(600), description="No further try is begun so long after the first."
    )


class OutOverride(Strict):
    """What a poller may set otherwise than `out` at the top."""

    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = Field(
        None, description="Delete this poller's out files and readings after so many days; null: never."
    )


class PollerSettings(Strict):
    """What every kind of poller may set for itself; what it leaves out is taken from the top of the file."""

    timezone: Zone | None = Field(
        None, description="Time zone of this poller; default: `timezone` at the top."
    )
    retry: RetrySettings | None = Field(
        None, description="Keys of `retry` that differ for this poller; the others come from the top."
    )
    out: OutOverride | None = Field(None, description="Keys of `out` that differ for this poller.")
    alerts: AlertSettings | None = Field(
        None,
        description="Keys of `alerts` that differ for this poller. `texts` are those of its own problems.",
    )

    @classmethod
    def alert_kinds(cls) -> tuple[AlertKind, ...]:
        """Return the kinds of problems that this kind of poller finds, besides those of its runs."""
        return ()

    def reminders(self) -> Mapping[str, float | None]:
        """Return how often problems are told again where that differs, by subject; None: never. Seconds."""
        return {}

    def view(self, subject: str, what: str) -> Mapping[str, str]:
        """Return what its view on the page is asked for to show such a problem; empty: nothing further."""
        del subject, what
        return {}

    def notes(self, beside: Mapping[str, PollerSettings]) -> tuple[str, ...]:
        """Return what `check` notes, each with its place below the poller (`report.success: ...`).

        `beside` are the other pollers of the config, by name.
        """
        del beside
        return ()

    @property
    def needs_records(self) -> bool:
        """Whether this poller keeps something in the database of records."""
        return False

    def inbox_needed(self, poller: str) -> InboxNeeded | None:
        """Return the folder that it takes files from, for a poller of that name; None: it takes none."""
        del poller
        return None

    @field_validator("alerts")
    @classmethod
    def _has_known_texts(cls, alerts: AlertSettings | None) -> AlertSettings | None:
        if alerts is not None:
            check_texts(alerts.texts, (*RUN_KINDS, *cls.alert_kinds()))
        return alerts
