"""What the child does: deliver a message, validate URLs, probe a channel. It makes all calls of Apprise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from apprise import NotifyBase, NotifyFormat, NotifyType

from tallyd.adapters.channels import errors, markup
from tallyd.adapters.channels.answers import objection
from tallyd.adapters.channels.apprise_service import Complaints, names_host, service, trait
from tallyd.adapters.channels.probe import probed
from tallyd.adapters.channels.rocketchat_url import UnusableUrl

_TYPES = {
    "error": NotifyType.FAILURE,
    "warning": NotifyType.WARNING,
    "over": NotifyType.SUCCESS,
    "info": NotifyType.INFO,
}
# Rocket.Chat takes 5000 characters unless its administrator allows more; escaping may double them. Telegram
# takes 4096, of which an emoji is two.
_ROCKETCHAT_PIECE = 2400
_TELEGRAM_PIECE = 2048

_URL_OR_PATH = re.compile(r"\S*/\S*")


def done(job: Mapping[str, Any]) -> dict[str, object]:
    """Return the answer to a job; see `child_main.py` for both."""
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
        # Its own words hold what it dropped.
        where = f"see {plugin.setup_url}"
        return f"is not understood as a whole: an address, a port or an option in it is no such; {where}"
    return None


def _unusable(error: UnusableUrl) -> str:
    return f"is no channel URL that can be used: {error}"


def _delivered(plugin: NotifyBase, job: Mapping[str, Any], seen: list[str]) -> bool:
    """Whether the service took every piece. No further one is sent after the first that it did not take."""
    # Without a place for a subject, Apprise would put it above the text, which does not need it.
    title = _encodable(job["subject"]) if plugin.title_maxlen > 0 else ""
    try:
        return all(
            plugin.notify(body=body, title=title, notify_type=_TYPES[job["tone"]], body_format=body_format)
            for body, body_format in _bodies(plugin, _encodable(job["text"]), job["link"])
        )
    except Exception as error:  # plugins raise what they like; the text may hold the URL
        seen.append(f"{plugin.service_name} failed with {type(error).__name__}")
        return False


def _bodies(plugin: NotifyBase, text: str, link: str) -> Iterator[tuple[str, NotifyFormat | None]]:
    """Yield what Apprise is to send, with the format to convert it from; None: it stays as it is.

    The link is the last line of the last. It is not escaped as text is: that would break it.
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
    """Return `text` without lone surrogates, which no service can be sent."""
    return text.encode("utf-8", "replace").decode()


def _reason(plugin: NotifyBase, seen: list[str], complaints: list[str]) -> str:
    """Return why it was not taken: what was seen on the wire, else what Apprise says, without any path."""
    if seen:
        return seen[-1]
    said = _URL_OR_PATH.sub("...", complaints[-1]) if complaints else "no reason was given"
    return f"{plugin.service_name}: {said}"
