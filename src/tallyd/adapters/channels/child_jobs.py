"""The child's jobs: deliver a message, validate URLs, probe a channel. Only this code calls Apprise."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from apprise import AppriseAttachment, NotifyBase, NotifyFormat, NotifyType
from apprise.attachment.memory import AttachMemory

from tallyd.adapters.channels import errors, markup
from tallyd.adapters.channels.answers import objection
from tallyd.adapters.channels.apprise_service import Complaints, names_host, service, trait
from tallyd.adapters.channels.probe import probed
from tallyd.adapters.channels.rocketchat_url import UnusableUrl
from tallyd.core.language.messages import english

_TYPES = {
    "error": NotifyType.FAILURE,
    "warning": NotifyType.WARNING,
    "over": NotifyType.SUCCESS,
    "info": NotifyType.INFO,
}
# Rocket.Chat accepts 5000 characters by default, and escaping may double the text. Telegram accepts 4096; an
# emoji counts as two.
_ROCKETCHAT_PIECE = 2400
_TELEGRAM_PIECE = 2048

_URL_OR_PATH = re.compile(r"\S*/\S*")


def done(job: Mapping[str, Any]) -> dict[str, object]:
    """Do a job and return its answer. `child_main.py` describes both."""
    complaints = Complaints()
    timeout_s = float(job["timeout_s"])
    if job["act"] == "validate":
        return {"found": [_validated(url, complaints, timeout_s) for url in job["urls"]]}
    try:
        plugin = service(job["urls"][0], timeout_s=timeout_s)
    except UnusableUrl as error:
        return {"ok": False, "reason": _unusable(error)}
    seen: list[str] = []
    own_host = names_host(type(plugin))
    errors.watch(seen.append, partial(objection, service=trait(plugin, "service_name"), is_own_host=own_host))
    if job["act"] == "probe":
        return probed(plugin, proxy=job["proxy"], timeout_s=timeout_s)
    if _delivered(plugin, job, seen):
        return {"ok": True}
    return {"ok": False, "reason": _reason(plugin, seen, complaints.lines)}


def _validated(url: str, complaints: Complaints, timeout_s: float) -> str | None:
    complaints.lines.clear()
    try:
        plugin = service(url, timeout_s=timeout_s)
    except UnusableUrl as error:
        return _unusable(error)
    if complaints.lines:
        # Apprise's own words could contain secrets.
        return english(
            "contains an invalid address, port or option; see {page_name}", page_name=plugin.setup_url
        )
    return None


def _unusable(error: UnusableUrl) -> str:
    return english("is not a usable channel URL: {why}", why=error)


def _delivered(plugin: NotifyBase, job: Mapping[str, Any], seen: list[str]) -> bool:
    """Send all pieces; stop at the first one that fails. Return whether the service accepted all of them."""
    # If the service has no subject, leave it out: Apprise would put it above the text.
    title = _encodable(job["subject"]) if plugin.title_maxlen > 0 else ""
    *before, last = _bodies(plugin, _encodable(job["text"]), job["link"])
    try:
        return all(
            plugin.notify(
                body=body,
                title=title,
                notify_type=_TYPES[job["tone"]],
                body_format=body_format,
                attach=files,
            )
            for body, body_format, files in (
                *((*each, None) for each in before),
                (*last, _files(plugin, job)),
            )
        )
    except Exception as error:  # plugins raise anything, and the text may contain the URL
        kind = type(error).__name__
        seen.append(english("{service} failed with {kind}", service=plugin.service_name, kind=kind))
        return False


def _files(plugin: NotifyBase, job: Mapping[str, Any]) -> AppriseAttachment | None:
    """Return the files that go with the last piece; None if there are none, or the service takes none."""
    if not plugin.attachment_support or not job["files"]:
        return None
    files = AppriseAttachment()
    for file in job["files"]:
        kind = mimetypes.guess_type(file["name"])[0]
        content = _encodable(file["text"]).encode()
        files.add(AttachMemory(content, name=file["name"], mimetype=kind))  # type: ignore[no-untyped-call] # as above
    return files


def _bodies(plugin: NotifyBase, text: str, link: str) -> Iterator[tuple[str, NotifyFormat | None]]:
    """Yield the pieces to send, each with the format that Apprise converts it from; None: no conversion.

    The link is the last line of the last piece. It is not escaped like the text, which would break it.
    """
    name = trait(plugin, "service_name")
    end = f"\n{link}" if link else ""
    if name == "Telegram":
        *before, last = markup.pieces(text, _TELEGRAM_PIECE - len(end))
        yield from ((markup.for_telegram(each), None) for each in (*before, last + end))
    elif name == "Rocket.Chat":
        plugin.body_maxlen = 2 * _ROCKETCHAT_PIECE  # Apprise would cut at 1000
        *before, last = map(markup.for_rocketchat, markup.pieces(text, _ROCKETCHAT_PIECE - len(end)))
        yield from ((each, None) for each in (*before, last + end))
    elif plugin.resolve_format(NotifyFormat.TEXT) == NotifyFormat.HTML:
        # Apprise's own conversion makes all spaces unbreakable.
        yield markup.as_html(text) + (f"<br/>{markup.html_link(link)}" if link else ""), NotifyFormat.HTML
    else:
        yield text + end, NotifyFormat.TEXT


def _encodable(text: str) -> str:
    """Return `text` without lone surrogates, which can't be encoded."""
    return text.encode("utf-8", "replace").decode()


def _reason(plugin: NotifyBase, seen: list[str], complaints: list[str]) -> str:
    """Return why the message was not accepted: what the network showed, else Apprise's last warning, no
    paths.
    """
    if seen:
        return seen[-1]
    said = _URL_OR_PATH.sub("...", complaints[-1]) if complaints else english("no reason was given")
    return english("{place}: {why}", place=plugin.service_name, why=said)
