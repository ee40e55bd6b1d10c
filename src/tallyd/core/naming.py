"""Names: out files, problem keys, and instants as text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from urllib.parse import quote, unquote

_OUT_NAME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{6}[+-]\d{4}(?:-(?:[2-9]|[1-9]\d+))?\.json", re.ASCII)
_UNSAFE = re.compile(r"[/%*?\[\]\x00-\x1f\x7f]")  # the separator, the escape, what a mute pattern uses
_MARKUP = re.compile(r"[@#<|\\]")  # a chat reads a mention, a link or a spoiler
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_MONTH = re.compile(r"\d{4}-\d{2}", re.ASCII)


def problem_key(*segments: str) -> str:
    """Join segments to `<poller>/<subject>/<what>`; a `/` inside a segment is percent-encoded.

    >>> problem_key("apps", "PROD / main", "stale")
    'apps/PROD %2F main/stale'
    """
    return "/".join(_UNSAFE.sub(lambda found: quote(found[0], safe=""), segment) for segment in segments)


def key_segments(key: str) -> tuple[str, ...]:
    """Undo `problem_key`."""
    if "%" not in key:  # nearly always, and a look at ten thousand alerts reads ten thousand keys
        return tuple(key.split("/"))
    return tuple(unquote(segment) for segment in key.split("/"))


def key_to_copy(key: str) -> str:
    """Return a key for a command in a message: no chat changes it, and `pasted_key` undoes it.

    >>> key_to_copy("apps/@all/stale")
    'apps/%40all/stale'
    """
    return _MARKUP.sub(lambda found: quote(found[0], safe=""), key)


def pasted_key(written: str) -> str:
    """Return the key or the pattern that a person gave, with no more percent-encoding than keys have."""
    return _ESCAPES.sub(lambda found: problem_key(unquote(found[0])), written)


def out_stem(at: datetime, zone: tzinfo) -> str:
    """Return the month folder and the name without ending: `2026-11/2026-11-20T080000+0100`.

    `at` is aware. The offset makes the two runs of a repeated hour different. Offsets with seconds (local
    mean times before 1900) are cut to minutes; they do not occur in dates that tallyd writes.
    """
    local = at.astimezone(zone)
    offset = local.strftime("%z")[:5]
    return f"{local:%Y-%m}/{local:%Y-%m-%dT%H%M%S}{offset}"


def numbered(stem: str, number: int) -> str:
    """Return the file name for the `number`-th reading of the same second: `X.json`, `X-2.json`, ..."""
    return f"{stem}.json" if number == 1 else f"{stem}-{number}.json"


def is_out_name(month: str, name: str) -> bool:
    """Whether `month/name` has the form of tallyd's own names. tallyd deletes nothing else."""
    return bool(_MONTH.fullmatch(month) and _OUT_NAME.fullmatch(name) and name.startswith(month))


def instant_text(at: datetime) -> str:
    """Return an aware instant as UTC text that sorts as the instants do: `2026-11-20T07:00:00.412000Z`."""
    # Not strftime: its %Y does not pad a year before 1000.
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def read_instant(text: str) -> datetime:
    """Undo `instant_text`. Raises ValueError."""
    if not _INSTANT.fullmatch(text):
        raise ValueError("not an instant as tallyd writes it")
    return datetime.fromisoformat(text)  # many times faster than strptime, but accepts more: hence the check


def local_text(at: datetime, zone: tzinfo) -> str:
    """Return ISO 8601 local time with offset, with milliseconds if there is a fraction."""
    local = at.astimezone(zone)
    return local.isoformat(timespec="milliseconds" if local.microsecond else "seconds")
