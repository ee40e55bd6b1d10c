"""Reads a config: strictly, every problem at once, secrets resolved.

A file is accepted as a whole or not at all. `load` never prints and never logs. It raises one `ConfigError`
with the place of each problem, and without any value that may be secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from pydantic import ValidationError

from tallyd.adapters.host_zone import read_host_zone
from tallyd.config.document import Document, read_document
from tallyd.config.folders import inbox_problems
from tallyd.config.model import Config
from tallyd.config.problems import place_of, problems_of
from tallyd.config.secrets import SecretFiles
from tallyd.config.settings import Settings
from tallyd.core.errors import ConfigError, ConfigProblem
from tallyd.settings.calendars import calendars_in
from tallyd.settings.top import holds_password

LookClosely: TypeAlias = "Callable[[Config], tuple[ConfigProblem, ...]]"
"""Finds further problems of a config without other problems. It may take long."""


def load(
    path: Path,
    *,
    environ: Mapping[str, str],
    lenient: bool = False,
    closely: LookClosely | None = None,
    tallyd: str = "tallyd",
) -> Config:
    """Read, check and resolve a config file. Raises `ConfigError` with every problem at once.

    With `lenient`, credentials that only the running service can read become notes, not problems. `tallyd`
    is the command as a person calls it.
    """
    document = read_document(path)
    reader = SecretFiles(path.parent.absolute(), environ, lenient)
    return replace(config_of(document, path, reader, closely=closely), tallyd=tallyd)


def config_of(
    document: Document, path: Path, reader: SecretFiles, *, closely: LookClosely | None = None
) -> Config:
    """Return the config of a document that is, or will be, at `path`. Raises `ConfigError` like `load`."""
    twice = tuple(
        ConfigProblem(place_of(where), "occurs twice in one object; keep one") for where in document.twice
    )
    context = {"secrets": reader, **_named(document.json)}
    try:
        settings = Settings.model_validate_json(document.json, context=context)
    except ValidationError as error:
        # Raised outside the handler: the pydantic error holds input values and must not be chained.
        problems = problems_of(error, Settings)
    else:
        problems = ()
    host = read_host_zone()
    problems = twice + problems
    if host.trouble and not problems and settings.timezone is None:
        problems = (ConfigProblem("timezone", host.trouble),)
    if not problems:
        config = Config(
            path=path.absolute(),
            settings=settings,
            host_zone=host.zone,
            secrets=tuple(sorted(reader.values)),
            files=(path.absolute(), *sorted(reader.files)),
            texts=(document.json, *(reader.parts[part].json for part in sorted(reader.parts))),
            notes=(
                *reader.notes,
                *reader.open_files({path.absolute(): document, **reader.parts}, without_password(settings)),
                *_poller_notes(settings),
                *((host.note,) if host.note and settings.timezone is None else ()),
            ),
        )
        problems = _problems_across(config)
    if not problems and closely is not None:
        problems = closely(config)
    if problems:
        raise ConfigError(path.name, problems, names=tuple(str(file) for file in reader.files))
    return config


def _problems_across(config: Config) -> tuple[ConfigProblem, ...]:
    """Return the problems between parts that are fine on their own."""
    written = {
        "out.dir": config.out_dir,
        "log.dir": config.log_dir,
        "state.dir": config.state_dir,
        **config.report_dirs,
    }
    places = {name: place_of(("pollers", name, "inbox")) for name in config.inboxes}
    return inbox_problems(config.inboxes, written, places)


def without_password(settings: Settings) -> Set[str]:
    """Return the URLs that are treated as secrets but hold no password."""
    urls = (settings.database.url, settings.state.url, settings.http.proxy)
    return {url.reveal() for url in urls if url is not None and not holds_password(url.reveal())}


def _poller_notes(settings: Settings) -> tuple[str, ...]:
    pollers = settings.pollers
    return tuple(
        f"{place_of(('pollers', name))}.{note}"  # "PLACE: WHY", a stored message
        for name, poller in pollers.items()
        for note in poller.notes({each: pollers[each] for each in pollers if each != name})
    )


def _named(text: str) -> dict[str, object]:
    """Return what keys refer to by name: the channels and the calendars; empty if the text is no config."""
    try:
        top = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(top, dict):
        return {}
    channels = top.get("channels", {})
    return {
        "channels": tuple(channels) if isinstance(channels, dict) else None,
        "calendars": calendars_in(top.get("calendars")),
    }
