"""server-status-check: `config.yaml`. `server_differences.py` has its table.

What it does not know is left out and named, never guessed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tallyd.core.language.messages import tr
from tallyd.core.reading import Json
from tallyd.core.texts import listed
from tallyd.imports.old_tables import tallyds_url
from tallyd.imports.old_yaml import Section, named, read_yaml, take, take_flag, take_seconds, take_text
from tallyd.imports.values import OldConfig, OldDataError
from tallyd.pollers.servers.settings import name_fault
from tallyd.settings.urls import check_keyless, parse_url

PROGRAM: Final = "server-status-check"


def read_config(path: Path) -> OldConfig:
    """Return a poller with its servers. Raises `OldDataError`."""
    path = config_of(path)
    content = read_yaml(path)
    notes: list[str] = []
    defaults = _limits(content, notes)
    every = _duration(content, notes, "interval")
    targets: dict[str, Json] = {}
    for name, server in named(take(content, "servers")[1]):
        if str(name) in targets:
            notes.append(tr("{server}: left out; another server has this name", server=str(name)))
        elif target := _target(str(name), server, notes):
            targets[str(name)] = target
    if not targets:
        raise OldDataError(tr('{file} has no "servers" with addresses', file=path))
    channel, chat = _channel(content, path, notes)
    records, url = _database(content, path)
    if content:
        notes.append(tr("not taken over: {keys}", keys=listed([str(key) for key in content])))
    poller: dict[str, Json] = {"kind": "servers", "targets": targets, "every": every, "defaults": defaults}
    return OldConfig(
        name="servers",
        poller={key: value for key, value in poller.items() if value},
        others={**channel, **records},
        secrets={**chat, **url},
        notes=tuple(notes),
    )


def config_of(path: Path) -> Path:
    return path / "config.yaml" if path.is_dir() else path


def _target(name: str, server: object, notes: list[str]) -> dict[str, Json] | None:
    """Return the settings of a server; None, with a note: tallyd cannot have it."""
    own = dict(server) if isinstance(server, dict) else {"url": server}
    address = take_text(own, "url", "address")
    try:
        url = check_keyless(parse_url(address if "://" in address else f"http://{address}"))
    except ValueError:
        url = ""
    if not url or name_fault(name):
        notes.append(
            tr(
                "{server}: left out; its name or address cannot be used, or has a password in it",
                server=name.rpartition("@")[2],  # before it may be a password, if the name is an address
            )
        )
        return None
    target: dict[str, Json] = {"url": url, **_limits(own, notes)}
    for key, names in {
        "record": ("save", "save_to_db", "save_to_database"),
        "notify": ("notify", "send_notification"),
    }.items():
        flag = take_flag(own, *names)
        if flag is not None:
            target[key] = flag
    if own:
        keys = listed([str(key) for key in own])
        notes.append(tr("{server}: not taken over: {keys}", server=name, keys=keys))
    return target


def _limits(section: Section, notes: list[str]) -> dict[str, Json]:
    limits = {
        "stale_after": _duration(section, notes, "threshold"),
        "remind_every": _duration(section, notes, "notification_interval"),
    }
    return {key: value for key, value in limits.items() if value}


def _duration(section: Section, notes: list[str], name: str) -> str:
    """Return a duration as a config has it; empty: there is none."""
    key, seconds = take_seconds(section, name)
    if seconds is None:
        return ""
    text = f"{seconds / 60:.0f}m" if seconds % 60 == 0 else f"{seconds:.0f}s"
    if key:
        notes.append(tr("{key} has no unit and was read as seconds: {duration}", key=key, duration=text))
    return text


def _channel(content: Section, path: Path, notes: list[str]) -> tuple[dict[str, Json], dict[str, str]]:
    """Return the channel, and where its secret is now."""
    key, chat = take(content, "rocketchat", "rocket_chat", "webhook")
    place, url = _inner(key, chat, "webhook", "url")
    if isinstance(chat, dict):
        if headers := take(chat, "headers")[1]:
            names = listed([str(name) for name in headers])
            notes.append(tr("a webhook of Rocket.Chat needs no headers; left out: {names}", names=names))
        if chat:
            keys = listed([str(each) for each in chat])
            notes.append(tr("{server}: not taken over: {keys}", server=key, keys=keys))
    if not url:
        return {}, {}
    secret = tr('the value of "{key}" in {file}', key=place, file=path)
    return {"channels": {"ops": "file:secrets/chat-url"}, "alerts": {"channels": ["ops"]}}, {
        "chat-url": secret
    }


def _database(content: Section, path: Path) -> tuple[dict[str, Json], dict[str, str]]:
    """Return the database, and where its secret is now."""
    place, url = database(content)
    if not url:
        return {}, {}
    old, new = (each.partition("://")[0] for each in (url, tallyds_url(url)))
    secret = tr(
        'the value of "{key}" in {file}[, with {new}:// instead of {old}://]',
        key=place,
        file=path,
        new=new if new != old else "",
        old=old,
    )
    return {"database": {"url": "file:secrets/database-url"}}, {"database-url": secret}


def database(content: Section) -> tuple[str, str]:
    """Return the key and the URL of its database; empty: it has none."""
    place, url = _inner(*take(content, "database", "database_url"), "url")
    return (place, url) if "://" in url else ("", "")


def _inner(key: str, value: object, *names: str) -> tuple[str, str]:
    """Return the text of a key, or of one of these keys in its object, and how to find it."""
    if not isinstance(value, dict):
        return key, value.strip() if isinstance(value, str) else ""
    inner, text = take(value, *names)
    return f"{key}.{inner}", text.strip() if isinstance(text, str) else ""
