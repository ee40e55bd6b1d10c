"""Asks a source once, changing nothing, and shows what it has."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from tallyd.cli.process.equipment import dry_outside, probe_toolbox
from tallyd.config.jobs import Task, tasks_of
from tallyd.config.model import Config
from tallyd.config.problems import place_of
from tallyd.contract.poller import Found
from tallyd.core.errors import SourceError
from tallyd.core.language.formats import number_text
from tallyd.core.language.messages import english, tr
from tallyd.core.system_words import reason_of
from tallyd.presentation.terminal import complain, say, show_table


def sources_of(config: Config) -> tuple[Task, ...]:
    """Return the first task of each poller, to ask its source."""
    return tuple({task.poller: task for task in reversed(tasks_of(config))}.values())[::-1]


def ask_source(config: Config, task: Task) -> tuple[Found, ...]:
    """Ask the source of a poller once. Raises `SourceError`, `RecordsError`.

    A missing inbox is fine: tallyd creates it (`DryInbox`). Something else in its place is an error.
    """
    if inbox := config.inboxes.get(task.poller):
        _look_at(inbox)
    with dry_outside(config) as resources, probe_toolbox(config, task, resources) as tools:
        return task.source.probe(tools)


def _look_at(inbox: Path) -> None:
    try:
        if not stat.S_ISDIR(inbox.stat().st_mode):
            raise SourceError(english("{inbox} is not a folder", inbox=inbox), transient=False)
    except FileNotFoundError:
        return
    except OSError as error:
        text = english("the inbox {inbox} cannot be used: {reason}", inbox=inbox, reason=reason_of(error))
        raise SourceError(text, transient=True) from None


def show_found(config: Config, task: Task, found: tuple[Found, ...]) -> bool:
    """Show what a source has; return whether all of it answers correctly."""
    say()
    bad = sum(not one.is_fine for one in found)
    inbox = config.inboxes.get(task.poller)
    if bad:
        complain(
            tr(
                "{poller}: {bad} of {all} do not answer correctly",
                poller=task.poller,
                bad=bad,
                all=len(found),
            )
        )
    elif inbox is not None and not inbox.exists():
        text = tr(
            "{poller}: {folder} does not exist yet; tallyd creates it when it starts",
            poller=task.poller,
            folder=inbox,
        )
        say(text, style="warning")
    else:
        say(tr("{poller}: the source answers", poller=task.poller), style="fine")
    headings = task.source.found_headings()
    rows = [(one.id, one.name, _count(one)) for one in found]
    if rows:
        cells = [row[: len(headings)] for row in rows]
        show_table(headings, cells, right=frozenset({2}), prose=frozenset({1}))
    return not bad


def _count(one: Found) -> str:
    if one.count is None:
        return tr("hidden") if one.is_fine else ""
    return number_text(one.count)


def show_learned(config: Config, task: Task, found: tuple[Found, ...]) -> None:
    """Show config keys for what was found, if the config does not have them yet."""
    known = config.settings.pollers[task.poller].model_dump(mode="json", by_alias=True, exclude_unset=True)
    for key, value in task.source.learned(found).items():
        if value and value != known.get(key):
            place = place_of(("pollers", task.poller))
            say(tr("You can add this to the config, under {place}:", place=place))
            say(f'"{key}": {json.dumps(value, ensure_ascii=False)}')
