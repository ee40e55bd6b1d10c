"""What every kind of poller may set for itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.run_alerts import RUN_KINDS
from tallyd.settings.alerting import AlertSettings, check_texts
from tallyd.settings.types import Duration, PositiveInt, Seconds, Strict, Zone


class RetrySettings(Strict):
    """How often and how long to retry a failed request."""

    attempts: PositiveInt = Field(5, le=100, description="Number of tries, including the first.")
    first_wait: Duration = Field(
        Seconds(15), description="Wait before the second try. It doubles for each further try."
    )
    longest_wait: Duration = Field(
        Seconds(180),
        description="Longest wait within a run. If the source asks for more (Retry-After), the run ends. A "
        "failed slot starts again after this pause, or after the longer one that the source asked for, until "
        "`catch_up` ends.",
    )
    give_up_after: Duration = Field(
        Seconds(600), description="Start no further try when this time has passed since the first try."
    )


class OutOverride(Strict):
    """Keys of `out` that a poller may override."""

    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = Field(
        None,
        description="Delete out files and readings after this many days; null: never. Default: never; "
        "those of servers after 90 days, those of visitors after 400.",
    )


class PollerSettings(Strict):
    """What every kind of poller may set for itself. For other keys, the top of the file counts."""

    timezone: Zone | None = Field(
        None, description="Time zone of this poller. Default: `timezone` at the top."
    )
    retry: RetrySettings | None = Field(
        None, description="Keys of `retry` that differ for this poller. The others come from the top."
    )
    out: OutOverride | None = Field(None, description="Keys of `out` that differ for this poller.")
    alerts: AlertSettings | None = Field(
        None,
        description="Keys of `alerts` that differ for this poller. `texts` are for its own problems.",
    )

    @classmethod
    def alert_kinds(cls) -> tuple[AlertKind, ...]:
        """Return the kinds of problems that this kind of poller finds, without those of its runs."""
        return ()

    @field_validator("alerts")
    @classmethod
    def _has_known_texts(cls, alerts: AlertSettings | None) -> AlertSettings | None:
        if alerts is not None:
            check_texts(alerts.texts, (*RUN_KINDS, *cls.alert_kinds()))
        return alerts
