"""`tallyd privacy-check`: proves with live data that tallyd wrote no personal data.

It asks the source as the poller does, finds the personal texts in the reply, and searches for them in
everything that tallyd has written. The texts stay in the memory of this process: it does not print, log or
store them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from tallyd.adapters.outfiles import OutFiles
from tallyd.cli.privacy.leak_scan import Search
from tallyd.cli.process.equipment import dry_outside, probe_toolbox
from tallyd.cli.shared import load_config, tasks_named
from tallyd.config.jobs import Task
from tallyd.config.model import Config
from tallyd.contract.poller import HoldsPersonalData
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM
from tallyd.core.language.formats import size_text
from tallyd.core.language.languages import language, reading_in
from tallyd.core.language.messages import mark, tr
from tallyd.core.privacy.leak_search import Finder, Personal, excused, is_searchable
from tallyd.core.reading import Json
from tallyd.core.texts import visible
from tallyd.presentation.terminal import complain, say

MOST_SHOWN = 50
_TOO_SHORT: Final = mark(
    "note: {field}: {values:# value|# values} too short, or with too few digits, to search for; not searched"
)
_IN_STATUS: Final = mark("note: {field}: {values:# value|# values} also in the name of a status; not counted")
_IN_CONFIG: Final = mark("note: {field}: {values:# value|# values} also in the config; not counted")
_FIELD_PART = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


def privacy_check(path: Path, poller: str) -> int:
    """Search what tallyd wrote for what the poller receives about people; return the exit status.

    0: nothing was found, or the poller receives no personal data. 1: something was found, or nothing can be
    proved: the reply has no personal text, tallyd has written nothing yet, or a file is unreadable.
    Raises `SourceError`.
    """
    config = load_config(path)
    task = tasks_named(config, poller)[0]
    personal = personal_texts(config, task)
    with reading_in(config.settings.language):
        return _privacy_check(config, task, personal)


def _privacy_check(config: Config, task: Task, personal: tuple[Personal, ...] | None) -> int:
    poller = task.poller
    if personal is None:
        text = tr(
            "{poller}: a {kind} poller receives no personal data, so there is nothing to check",
            poller=poller,
            kind=task.source.kind,
        )
        say(text)
        return EXIT_OK
    finder = _finder(config, personal)
    if not finder.personal:
        text = tr(
            "{poller}: the reply contains no personal data (names, phone numbers, addresses) to look for, "
            "so nothing can be proved; perhaps the access key may not see any",
            poller=poller,
        )
        complain(text)
        return EXIT_PROBLEM
    search = Search(finder)
    search.search_written(config)
    unsearched = search.search_journal()
    return _tell(search, unsearched)


def personal_texts(config: Config, task: Task) -> tuple[Personal, ...] | None:
    """Return what the source says about people; None for a kind of source without personal data.

    Raises `SourceError`.
    """
    if not isinstance(task.source, HoldsPersonalData):
        return None
    with dry_outside(config) as resources, probe_toolbox(config, task, resources) as tools:
        found = tuple(task.source.personal_texts(tools))
    values = {value for _, value in found}
    return tuple(Personal(_without(values, name), value.strip()) for name, value in found)


def _without(values: set[str], name: str) -> str:
    """Return the name of a field, without parts that may be personal themselves (JSON keys may be)."""
    return ".".join(
        part if _FIELD_PART.fullmatch(part) and part not in values else "*" for part in name.split(".")
    )


# -- what to search for -------------------------------------------------------------------------------------


def _finder(config: Config, personal: tuple[Personal, ...]) -> Finder:
    """Return a finder for the texts that prove something if found; print how many are left out, and why."""
    short = [one for one in personal if not is_searchable(one.value)]
    _note(short, _TOO_SHORT)
    for own, note in (
        (_status_texts(config), _IN_STATUS),
        (_config_texts(config), _IN_CONFIG),
    ):
        known = excused(personal, own)
        _note(known, note)
        values = {one.value for one in known}
        personal = tuple(one for one in personal if one.value not in values)
    return Finder(personal)


def _note(personal: Iterable[Personal], text: str) -> None:
    for name, count in sorted(Counter(one.name for one in personal).items()):
        say(tr(text, field=name, values=count), style="quiet")


def _status_texts(config: Config) -> Iterator[str]:
    """Yield names and ids of statuses: those of the config, and those in the out files."""
    for poller in config.settings.pollers.values():
        yield from _texts(dict(getattr(poller, "status_names", {})))  # not every kind has statuses
    with suppress(OSError):  # the search itself reports unreadable files
        for _, _, text in OutFiles(config.out_dir).contents():
            content = _object(json.loads(text))
            yield from _texts(content.get("names"))
            yield from _object(content.get("counts"))


def _config_texts(config: Config) -> Iterator[str]:
    """Yield the texts of the config, which tallyd also writes without any reply; no secret, no comment."""
    yield from _texts(config.settings.model_dump(mode="json"))
    yield from (str(config.zone), str(config.path), *map(str, _folders(config)))


def _folders(config: Config) -> tuple[Path, ...]:
    return config.data_dir, config.out_dir, config.log_dir, config.state_dir


def _texts(value: Json) -> Iterator[str]:
    """Yield every text inside, including keys."""
    if isinstance(value, str):
        yield visible(value)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield visible(key)
            yield from _texts(each)


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


# -- output -------------------------------------------------------------------------------------------------


def _tell(search: Search, unsearched_journal: str | None) -> int:
    """Print what was found: the field and the place, never the text."""
    for (personal, place), spot in list(search.found.items())[:MOST_SHOWN]:
        text = tr(
            "found: {field} in {place}, {spot}[ and {again} more times]",
            field=personal.name,
            place=search.finder.masked(place),
            spot=spot.first,
            again=spot.times - 1 if spot.times > 1 else None,
        )
        say(text, style="error")
    if len(search.found) > MOST_SHOWN:
        say(tr("found: {left} more", left=len(search.found) - MOST_SHOWN), style="error")
    for text in search.unread:
        complain(tr("not searched: {place}", place=search.finder.masked(text)))
    if unsearched_journal:
        text = tr("The journal was not searched: {reason}.", reason=unsearched_journal)
        complain(text, style="warning")
    say(_summary(search, with_journal=unsearched_journal is None), style="error" if search.found else None)
    return EXIT_PROBLEM if search.found or search.unread or not search.files else EXIT_OK


def _summary(search: Search, *, with_journal: bool) -> str:
    sought, size = search.finder.personal, f"{search.size_bytes / 1e6:.1f} MB"
    values = {
        "files": search.files,
        "size": size if language() == "en" else size_text(search.size_bytes),
        "values": len(sought),
        "fields": len({one.name for one in sought}),
        "outcome": _outcome(search),
    }
    if with_journal:
        return tr(
            "searched {files:# file|# files} ({size}) and the journal for {values:# value|# values} of "
            "{fields:# field|# fields}: {outcome}",
            **values,
        )
    return tr(
        "searched {files:# file|# files} ({size}) for {values:# value|# values} of "
        "{fields:# field|# fields}: {outcome}",
        **values,
    )


def _outcome(search: Search) -> str:
    if search.found:
        found = len({personal for personal, _ in search.found})
        return tr(
            "{found} of them found, in {places:# place|# places}", found=found, places=len(search.found)
        )
    if not search.files:
        return tr("tallyd has written nothing yet, so nothing is proved")
    return tr("nothing found")
