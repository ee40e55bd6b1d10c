"""server-status-check: `config.yaml`. `server_differences.py` has its table.

Keys are known by several names. What is not known is left out and named, never guessed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tallyd.core.language.messages import tr
from tallyd.core.reading import Json
from tallyd.core.texts import listed
from tallyd.imports.old_tables import tallyds_url
from tallyd.imports.old_yaml import named, read_yaml, take, take_flag, take_seconds, take_text
from tallyd.imports.values import OldConfig, OldDataError
from tallyd.pollers.servers.settings import name_fault
from tallyd.settings.urls import check_keyless, parse_url

PROGRAM: Final = "server-status-check"
_THRESHOLDS: Final = ("threshold", "max_difference", "max_time_difference", "stale_after", "limit", "max_age")
_REMINDERS: Final = ("notification_interval", "notify_every", "remind_every", "message_interval")
_INTERVALS: Final = ("interval", "check_interval", "check_every", "every", "poll_interval")


def read_config(path: Path) -> OldConfig:
    """Return a poller with its servers. Raises `OldDataError`."""
    content = read_yaml(path)
    notes: list[str] = []
    defaults = _limits(content, notes)
    every = _duration(content, notes, _INTERVALS)
    targets: dict[str, Json] = {}
    for name, server in named(take(content, "servers", "targets", "hosts")[1]):
        if str(name) in targets:
            notes.append(tr("{server}: left out; another server has this name", server=str(name)))
        elif target := _target(str(name), server, notes):
            targets[str(name)] = target
    if not targets:
        raise OldDataError(tr('{file} has no "servers" with addresses', file=path))
    others, secrets = _others(content, path, notes)
    if content:
        notes.append(tr("not taken over: {keys}", keys=listed([str(key) for key in content])))
    poller: dict[str, Json] = {"kind": "servers", "targets": targets}
    return OldConfig(
        name="servers",
        poller={
            **poller,
            **({"every": every} if every else {}),
            **({"defaults": defaults} if defaults else {}),
        },
        others=others,
        secrets=secrets,
        notes=tuple(notes),
    )


def _target(name: str, server: object, notes: list[str]) -> dict[str, Json] | None:
    """Return the settings of a server; None, with a note: tallyd cannot have it."""
    own = dict(server) if isinstance(server, dict) else {"url": server}
    address = take_text(own, "url", "address", "host", "uri")
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
        "record": ("record", "save", "save_to_db", "save_to_database", "database", "db"),
        "notify": ("notify", "notification", "notifications", "send_notification", "alert"),
    }.items():
        flag = take_flag(own, *names)
        if flag is not None:
            target[key] = flag
    if own:
        keys = listed([str(key) for key in own])
        notes.append(tr("{server}: not taken over: {keys}", server=name, keys=keys))
    return target


def _limits(section: dict[str, Any], notes: list[str]) -> dict[str, Json]:
    stale, remind = _duration(section, notes, _THRESHOLDS), _duration(section, notes, _REMINDERS)
    found: dict[str, Json] = {"stale_after": stale} if stale else {}
    return {**found, **({"remind_every": remind} if remind else {})}


def _duration(section: dict[str, Any], notes: list[str], names: tuple[str, ...]) -> str:
    """Return a duration as a config has it; empty: there is none."""
    key, seconds = take_seconds(section, *names)
    if seconds is None:
        return ""
    text = f"{seconds / 60:.0f}m" if seconds % 60 == 0 else f"{seconds:.0f}s"
    if key:
        notes.append(tr("{key} has no unit and was read as seconds: {duration}", key=key, duration=text))
    return text


def _others(content: dict[str, Any], path: Path, notes: list[str]) -> tuple[dict[str, Json], dict[str, str]]:
    """Return the channel and the database, and where their secrets are now."""
    others: dict[str, Json] = {}
    secrets: dict[str, str] = {}
    key, chat = take(content, "rocketchat", "rocket_chat", "rocket", "webhook", "webhook_url")
    inner, url = take(chat, "webhook", "webhook_url", "url") if isinstance(chat, dict) else ("", chat)
    if isinstance(url, str):
        others |= {"channels": {"ops": "file:secrets/chat-url"}, "alerts": {"channels": ["ops"]}}
        place = ".".join(filter(None, (key, inner)))
        secrets["chat-url"] = tr('the value of "{key}" in {file}', key=place, file=path)
    headers = take(chat, "headers", "header")[1] if isinstance(chat, dict) else take(content, "headers")[1]
    if headers:
        names = listed([str(name) for name in headers])
        notes.append(tr("a webhook of Rocket.Chat needs no headers; left out: {names}", names=names))
    if isinstance(chat, dict) and chat:
        notes.append(
            tr("{server}: not taken over: {keys}", server=key, keys=listed([str(each) for each in chat]))
        )
    key, url = database(content)
    if url:
        others["database"] = {"url": "file:secrets/database-url"}
        driver = url.partition("://")[0]
        new = tallyds_url(url).partition("://")[0]
        secrets["database-url"] = tr(
            'the value of "{key}" in {file}[, with {new}:// instead of {old}://]',
            key=key,
            file=path,
            new=new if new != driver else "",
            old=driver,
        )
    return others, secrets


def database(content: dict[str, Any]) -> tuple[str, str]:
    """Return the key and the URL of its database; empty: it has none."""
    key, found = take(content, "database", "database_url", "db", "db_url", "sqlalchemy_database_uri")
    inner, url = take(found, "url", "uri", "connection_string") if isinstance(found, dict) else ("", found)
    is_url = isinstance(url, str) and "://" in url
    return (".".join(filter(None, (key, inner))), url.strip()) if is_url else ("", "")
