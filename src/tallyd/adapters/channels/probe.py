"""Tests a channel without sending a message."""

from __future__ import annotations

import smtplib
import socket
import ssl
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import requests
from apprise import NotifyBase

from tallyd.adapters.channels.apprise_service import trait
from tallyd.adapters.channels.errors import explain, refusal
from tallyd.core.language.messages import english


class _Refused(Exception):  # noqa: N818 # its text says who refused what
    pass


def probed(plugin: NotifyBase, *, proxy: str | None, timeout_s: float) -> dict[str, object]:
    """Return `ok` with a `line` about what answers, or with the `reason` why nothing does."""
    if mail_host := trait(plugin, "smtp_host"):
        port = int(trait(plugin, "port") or 25)
        return _tried(f"{mail_host}:{port}", lambda: _mail(plugin, mail_host, port, timeout_s))
    if proxy:
        line = english("through the proxy it can only be tested by sending: {tallyd} notify NAME")
        return {"ok": True, "line": line}
    if trait(plugin, "service_name") == "Telegram":
        api = urlsplit(trait(plugin, "notify_url")).netloc
        return _tried(api, lambda: _telegram(plugin, api))
    if place := _place(plugin):
        host, port, secure = place
        return _tried(f"{host}:{port}", lambda: _web(plugin, host, port, secure, timeout_s))
    name = plugin.service_name
    line = english("{service} can only be tested by sending: {tallyd} notify NAME", service=name)
    return {"ok": True, "line": line}


def _tried(host: str, attempt: Callable[[], str]) -> dict[str, object]:
    """Return the answer for the parent. `attempt` returns the name of what answers, or raises."""
    try:
        name = attempt()
    except _Refused as refused:
        return {"ok": False, "reason": str(refused)}
    except (OSError, smtplib.SMTPException, UnicodeError) as error:  # OSError includes those of requests
        return {"ok": False, "reason": explain(error, host)}
    return {"ok": True, "line": english("{host} answers[ for the bot {name}]", host=host, name=name)}


def _place(plugin: NotifyBase) -> tuple[str, int, bool] | None:
    """Return host, port and whether TLS is used, for a service over HTTP; None if unknown.

    `plugin.host` is a host only if all URL templates of the plugin contain one. Otherwise it is a token or a
    topic.
    """
    if not hasattr(sys.modules[type(plugin).__module__], "requests"):
        return None
    templates: tuple[str, ...] = plugin.templates
    if templates and all("{host}" in template for template in templates):
        secure = bool(plugin.secure)
        return plugin.host.strip("[]"), plugin.port or (443 if secure else 80), secure
    address = urlsplit(trait(plugin, "notify_url"))
    if address.scheme in ("http", "https") and address.hostname and "{" not in address.netloc:
        secure = address.scheme == "https"
        return address.hostname, address.port or (443 if secure else 80), secure
    return None


def _web(plugin: NotifyBase, host: str, port: int, secure: bool, timeout_s: float) -> str:
    with socket.create_connection((host, port), timeout_s) as connection:
        if secure:
            _context(plugin).wrap_socket(connection, server_hostname=host).close()
    return ""


def _mail(plugin: NotifyBase, host: str, port: int, timeout_s: float) -> str:
    """Connect, with TLS if configured, but do not log in."""
    mode = trait(plugin, "secure_mode")
    server: smtplib.SMTP
    if mode == "ssl":
        server = smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=_context(plugin))
    else:
        server = smtplib.SMTP(host, port, timeout=timeout_s)
    with server:
        if mode == "starttls":
            server.starttls(context=_context(plugin))
    return ""


def _telegram(plugin: NotifyBase, host: str) -> str:
    address = f"{trait(plugin, 'notify_url')}{trait(plugin, 'bot_token')}/getMe"
    answer = requests.get(address, timeout=plugin.request_timeout, verify=plugin.verify_certificate)
    if answer.status_code == requests.codes.unauthorized:
        raise _Refused(_refused(host, english("unknown bot token (HTTP 401)")))
    if answer.status_code != requests.codes.ok:
        raise _Refused(refusal(answer, host))
    try:
        return f"@{answer.json()['result']['username']}"
    except (ValueError, KeyError, TypeError):
        raise _Refused(_refused(host, english("not the answer of a bot"))) from None


def _refused(host: str, reason: str) -> str:
    return english("{place}: {why}", place=host, why=reason)


def _context(plugin: NotifyBase) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not plugin.verify_certificate:  # the channel's URL says so
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
