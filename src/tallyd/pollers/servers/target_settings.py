"""The settings of one target, and the target to check: its own keys merged over the defaults."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationInfo

from tallyd.core.texts import shortened
from tallyd.pollers.servers.freshness import Limits
from tallyd.settings.headers import HEADER_NAME, Headers, unencrypted_header
from tallyd.settings.secrets import Secret, named_files
from tallyd.settings.types import (
    Duration,
    FolderPath,
    KeylessUrl,
    Seconds,
    Strict,
    Zone,
    did_you_mean,
    within,
    wrong,
)

_FORMS = ("iso", "epoch", "epoch_ms")
_TRIED = datetime(2026, 11, 20, 12, 59, tzinfo=UTC)
_HEADER_VALUE = re.compile(r"[!-~\x80-\xff](?:[ -~\x80-\xff]*[!-~\x80-\xff])?")
_OURS = frozenset({"accept-encoding", "connection", "content-length", "host", "transfer-encoding"})
_LONGEST_FIELD = 200


def _field(written: str) -> str:
    names = written.split(".")
    if names[0] == "$":
        raise wrong('begins with "$"; write only the names of the fields, such as "data.time"')
    if not all(names):
        raise wrong(
            'must be the name of a field, or several names with dots between them, such as "data.time"'
        )
    return written


def _format(written: str) -> str:
    if written in _FORMS:
        return written
    if "%" not in written:
        known = f"; write one of {', '.join(_FORMS)}, or a strptime format such as %Y%m%d%H%M%S"
        raise wrong(f"is not a time format{did_you_mean(written, _FORMS) or known}")
    if "%Z" in written:
        raise wrong(
            "contains %Z, which reads the name of a zone but ignores it; use %z, or write the name as plain "
            "text and set timezone"
        )
    try:
        found = datetime.strptime(_TRIED.strftime(written), written)  # noqa: DTZ007 # compared without one
    except (ValueError, re.error):
        found = None
    if found is None or found.replace(tzinfo=None) != _TRIED.replace(tzinfo=None):
        raise wrong("is not a format with a full date and time, such as %Y%m%d%H%M%S")
    return written


def _headers(headers: dict[str, Secret]) -> dict[str, Secret]:
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            raise wrong(f'"{shortened(name, 40)}" is not a header name')
        if name.lower() in _OURS:
            raise wrong(f'"{name}" is set by tallyd itself; remove it')
        value.check(_header_value)
    if len({name.lower() for name in headers}) < len(headers):
        raise wrong("names a header twice; upper and lower case make no difference")
    return headers


def _header_value(value: str) -> None:
    if not _HEADER_VALUE.fullmatch(value):
        raise wrong("has a value that cannot be sent in a header; use only Latin characters")


def _ca_file(written: str, info: ValidationInfo) -> str:
    """Return the absolute path of a file that holds certificates."""
    reader = named_files(info)
    path = reader.path_of(written) if reader else Path(written).absolute()
    try:
        found = path.stat()
        _load(path, found.st_mtime_ns)
    except FileNotFoundError:
        raise wrong(f"{path} is missing. Put the certificate of the authority there (PEM).") from None
    except ssl.SSLError:
        raise wrong(f"{path} contains no certificate (PEM)") from None
    except OSError as error:
        raise wrong(f"{path} cannot be read: {(error.strerror or '').lower()}") from None
    return str(path)


@lru_cache(maxsize=64)
def _load(path: Path, _mtime_ns: int) -> None:
    """Read a file of certificates once for all targets that name it. Raises `OSError`."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)


class TargetKeys(Strict):
    """Settings of one target, or in `defaults` of all targets."""

    field: Annotated[str, Field(min_length=1, max_length=_LONGEST_FIELD), AfterValidator(_field)] = Field(
        "computed_time",
        description="Field of the reply with the time when its data was computed. `data.time` is a field "
        "inside another; a number is an index in a list, from 0.",
    )
    format: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_format)] = Field(
        "iso",
        description="Format of that time: `iso` (ISO 8601), `epoch` or `epoch_ms` (seconds or milliseconds "
        "since 1970), or a strptime format such as %Y%m%d%H%M%S.",
    )
    timezone: Zone | None = Field(
        None, description="Zone of times without one. Default: `timezone` of the poller, or at the top."
    )
    stale_after: Duration = Field(Seconds(900), description="Older data is stale and raises an alert.")
    late_after: Duration | None = Field(
        None, description="Older data is late and is logged. Default: half of `stale_after`."
    )
    remind_every: Annotated[Duration, AfterValidator(within(60.0))] | None = Field(
        None,
        description="While a target is not fresh, send a reminder and log a line at this interval; null: "
        "never. Default: send reminders as in `alerts.remind_every`, and log no further line.",
    )
    record: bool = Field(True, description="Store its changes in the database (table `server_lag`).")
    notify: bool = Field(
        True, description="Raise an alert if it is stale, unreachable, invalid or in the future."
    )
    log_changes: bool = Field(
        True, description="Log each new time at level DEBUG; false: log only changes of its state."
    )
    headers: Annotated[Headers, AfterValidator(_headers)] = Field(
        {},
        description="More headers, added to those of `defaults`. Each value is a secret, unless it is "
        "written directly and the name is harmless (Accept, User-Agent, X-Api-Version, X-Env, ...).",
    )
    timeout: Duration | None = Field(
        None,
        description="Time limit of one check, from the connection to the last byte. At most a fifth of "
        "`every`, so that no check runs into the next round. Default: a fifth of `every`, but at most 10s.",
    )
    ca_file: Annotated[FolderPath, AfterValidator(_ca_file)] | None = Field(
        None,
        description="File (PEM) with the certificate authorities to trust, relative to the config file. "
        "Default: those that this machine trusts.",
    )


class TargetSettings(TargetKeys):
    """One server whose age of data is checked. For keys that it leaves out, `defaults` counts."""

    url: KeylessUrl = Field(description="Address that replies with JSON.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target to check. `path` leads to the field. `zone` None: that of the poller.

    `remind_every_s` counts only with `has_reminder`. `timeout_s` is the limit of one check.
    """

    name: str
    url: str
    field: str
    path: tuple[str, ...]
    form: str
    zone: ZoneInfo | None
    limits: Limits
    remind_every_s: float | None
    has_reminder: bool
    is_recorded: bool
    is_notified: bool
    is_logged: bool
    headers: Mapping[str, Secret]
    timeout_s: float
    ca_file: Path | None


def merged(name: str, own: TargetSettings, defaults: TargetKeys, *, every_s: float) -> Target:
    """Return a target with its own keys merged over the defaults."""

    def keys_of(key: str) -> TargetKeys:
        return own if key in own.model_fields_set else defaults

    stale_after_s = keys_of("stale_after").stale_after
    late_after_s = keys_of("late_after").late_after
    reminding = keys_of("remind_every")
    field = keys_of("field").field
    ca_file = keys_of("ca_file").ca_file
    return Target(
        name=name,
        url=own.url,
        field=field,
        path=tuple(field.split(".")),
        form=keys_of("format").format,
        zone=keys_of("timezone").timezone,
        limits=Limits(late_after_s or stale_after_s / 2, stale_after_s),
        remind_every_s=reminding.remind_every,
        has_reminder="remind_every" in reminding.model_fields_set,
        is_recorded=keys_of("record").record,
        is_notified=keys_of("notify").notify,
        is_logged=keys_of("log_changes").log_changes,
        headers=_added(defaults.headers, own.headers),
        timeout_s=keys_of("timeout").timeout or min(10.0, every_s / 5),
        ca_file=Path(ca_file) if ca_file else None,
    )


def _added(defaults: Mapping[str, Secret], own: Mapping[str, Secret]) -> Mapping[str, Secret]:
    if not own:
        return defaults
    named = {name.lower() for name in own}
    return {**{name: value for name, value in defaults.items() if name.lower() not in named}, **own}


def fault_of(target: Target, *, every_s: float) -> tuple[str, str] | None:
    """Return the first wrong key of a merged target, and what is wrong with it; None: nothing."""
    limits = target.limits
    if limits.late_after_s > limits.stale_after_s:
        return "late_after", "is longer than `stale_after`; data is late before it is stale"
    if target.timeout_s > every_s / 5:
        return "timeout", (
            f"is longer than a fifth of `every` ({every_s / 5:g}s): a check that hangs could run into the "
            "next round"
        )
    if name := unencrypted_header(target.url, target.headers):
        return "url", (
            f"begins with http://, which would send the header {name} unencrypted, and that may be a secret; "
            "use https://"
        )
    if target.ca_file is not None and target.url.startswith("http://"):
        return "ca_file", "has no effect: the url begins with http://, which uses no certificate"
    return None
