"""Divera-StatusLogger: `config.json`, and `out/DD-MM-YYYY_HH.json` with people by status id.

It counted at fixed hours of the host's time, wrote `null` for people without a status, and `{}` if Divera
listed nobody. A reading goes to out/ first and then into the state: that is how the state is restored, too.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import count, islice, product
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import NewReading, State
from tallyd.core.history import NO_STATUS, in_order
from tallyd.core.language.messages import tr
from tallyd.core.naming import numbered, out_stem
from tallyd.core.out_document import Heading, document, file_text, stored_text
from tallyd.core.reading import Json
from tallyd.core.schedule.timetable import At, Due, slots
from tallyd.imports.values import OldConfig, OldDataError, Target, Totals, cannot_read, read_text
from tallyd.pollers.divera.client import USERS_URL
from tallyd.pollers.divera.poller import DiveraPoller

_NAMES: Final = ("%d-%m-%Y_%H.json", "%d-%m-%Y_%H:%M.json")
_STATUS: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_NOBODYS: Final = frozenset({"null", "0"})
"""What stands for people without a status."""
_HOURS: Final = ("00:00", "08:00", "12:00", "16:00", "20:00")
_PLACEHOLDER: Final = "YOUR_ACCESSKEY"
_MOST: Final = 10**9
_AT_ONCE: Final = 500


@dataclass(frozen=True)
class _OldFile:
    """A file of counts, and the local time of its slot."""

    path: Path
    at: datetime

    def slot(self, zone: tzinfo) -> Due:
        """Return its slot as the timetable names it: also a time that does not exist, or comes twice."""
        day = self.at.date()
        midnight = datetime.combine(day, time(), zone)
        near = slots(
            At((self.at.time(),)),
            zone,
            after=midnight - timedelta(days=1),
            until=midnight + timedelta(days=2),
        )
        return next(slot for slot in near if slot.key.startswith(day.isoformat()))


def read_config(path: Path) -> OldConfig:
    """Return a poller that asks Divera at the same hours. Raises `OldDataError`."""
    file = path / "config.json"
    try:
        content = json.loads(read_text(file))
    except (ValueError, RecursionError):
        raise OldDataError(tr("{file} is not JSON", file=file)) from None
    if not isinstance(content, dict) or not isinstance(content.get("url"), str):
        raise OldDataError(tr('{file} has no "url"; is that its folder?', file=file))
    try:
        parts = urlsplit(content["url"])
    except ValueError:
        raise OldDataError(tr('{file}: "url" is not a URL', file=file)) from None
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    notes = []
    if "@" in parts.netloc:
        notes.append(
            tr("The url in {file} contains a user or a password; left out: Divera needs none", file=file)
        )
    if any(pair.partition("=")[2] for pair in parts.query.split("&")):
        notes.append(tr("The url in {file} contains a key: take it from there", file=file))
    if content.get("accesskey") in (None, "", _PLACEHOLDER):
        notes.append(tr("{file} has no access key of its own", file=file))
    notes.append(
        tr(
            "{folder} shows the access key in plain text: delete it once tallyd runs",
            folder=path / "log",
        )
    )
    poller: dict[str, Json] = {"kind": "divera", "accesskey": "file:secrets/divera-key", "at": _times(path)}
    return OldConfig(
        name="divera",
        poller=poller if url == USERS_URL else {**poller, "url": url},
        secrets={"divera-key": tr('the value of "accesskey" in {file}', file=file)},
        notes=tuple(notes),
    )


def bring_data(old: str, target: Target) -> Totals:
    """Import the counts as readings of their slots. Raises `OldDataError`, `OutError`, `StateError`."""
    totals, files = Totals(), sorted(_files(Path(old)), key=lambda file: file.at)
    config, poller = target.config, target.task.poller
    with ExitStack() as stack:
        state = None
        if not target.dry_run or isinstance(config.state_at, str) or config.state_at.exists():
            state = State(config.state_at, reads_only=target.dry_run)
            stack.enter_context(closing(state))
        taken = state.readings.taken(poller) if state else {}
        news = _news(files, target, frozenset(_local(slot) for slot in taken.values() if slot), totals)
        if target.dry_run or state is None:
            totals.added = sum(1 for _ in news)
            return totals
        out = OutFiles(config.out_dir, is_durable=False)
        while batch := list(islice(news, _AT_ONCE)):
            written = [_written(out, poller, each, set(taken)) for each in batch]
            os.sync()  # once for all, before the state says that they are there
            totals.added += state.readings.restore(written, {})
    return totals


def _files(path: Path) -> Iterator[_OldFile]:
    folder = path / "out"
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError as error:
        raise OldDataError(cannot_read(folder, error)) from None
    for name, form in product(names, _NAMES):
        with suppress(ValueError):  # a name of somebody else
            at = datetime.strptime(name, form)  # noqa: DTZ007 # of the poller's zone
            if date.min.year < at.year < date.max.year:  # the days around it can be named, too
                yield _OldFile(folder / name, at)


def _times(path: Path) -> list[Json]:
    """Return the hours of the files of its last month; those that it began with if there are none."""
    try:
        files = list(_files(path))
    except OldDataError:
        files = []
    newest = max((file.at.date() for file in files), default=date.max)
    times = {f"{file.at:%H:%M}" for file in files if file.at.date() > newest - timedelta(days=31)}
    return [*sorted(times or _HOURS)]


def _news(
    files: Iterable[_OldFile], target: Target, taken: frozenset[str], totals: Totals
) -> Iterator[NewReading]:
    """Yield the reading of each file that tallyd may import and does not have; `taken` are local times."""
    kept_from = target.kept_from(target.task.keep_days)
    known = set(taken)
    for file in files:
        slot = file.slot(target.zone)
        # A time that does not exist is one with the time at which it runs: both are one instant.
        times = {_local(slot.key), slot.at.astimezone(target.zone).replace(tzinfo=None).isoformat()}
        if slot.at >= target.today:
            totals.left += 1
        elif not known.isdisjoint(times):
            totals.known += 1
            known |= times
        elif kept_from is not None and slot.at < kept_from:
            totals.too_old += 1
        else:
            try:
                reading = _reading(slot, _counts(read_text(file.path)), target)
            except (OldDataError, ValueError) as error:
                totals.reject(file.path.name, str(error))
                continue
            totals.saw(slot.at)
            known |= times
            yield reading


def _local(slot: str) -> str:
    """Return the local time of a slot: a file is the same one after `timezone` was changed."""
    return slot.partition("[")[0]


def _counts(text: str) -> Mapping[str, int]:
    """Return people by status. Raises ValueError with the reason, never with a value."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(tr("not JSON")) from None
    if not isinstance(content, dict):
        raise ValueError(tr("not an object of counts"))  # noqa: TRY004 # a fault of the file
    counts: dict[str, int] = {}
    for key, number in content.items():
        status = NO_STATUS if key in _NOBODYS else key
        if status != NO_STATUS and not _STATUS.fullmatch(status):
            raise ValueError(tr("a key is not a status id"))
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= _MOST:
            raise ValueError(tr("a count is not a number of people"))
        counts[status] = counts.get(status, 0) + number
    if not counts:
        raise ValueError(tr("no counts: Divera listed nobody, which is not zero"))
    return in_order(counts)


def _reading(slot: Due, counts: Mapping[str, int], target: Target) -> NewReading:
    poller = target.task.source
    assert isinstance(poller, DiveraPoller)  # noqa: S101 # `programs.py` says that it is
    heading = Heading(
        poller=target.task.poller,
        kind=poller.kind,
        origin="imported",
        due_at=slot.at,
        taken_at=slot.at,
        zone=target.zone,
    )
    facts = poller.people_facts(counts, poller.status_names, source="users")
    return NewReading(
        ref=target.task.ref,
        slot=slot.key,
        part=None,
        due_at=slot.at,
        taken_at=slot.at,
        name=out_stem(slot.at, target.zone),
        text=stored_text(document(heading, facts, ())),
    )


def _written(out: OutFiles, poller: str, reading: NewReading, reserved: set[str]) -> NewReading:
    """Write the out file of a reading under the first free name for its stem; return it with that name.

    A file with the same bytes is its own, from an import that was interrupted. Raises `OutError`.
    """
    text = file_text(json.loads(reading.text))
    names = (numbered(reading.name, number) for number in count(1))
    free = (name for name in names if name not in reserved and out.write(poller, name, text) == "written")
    return replace(reading, name=next(free))
