"""Whether an answer of 2xx says that the message was taken. Apprise looks at the status alone, mostly.

A proxy, a login or a portal on the way answers with a page of its own and HTTP 200, and some services say in
JSON that they did not do it. Where a service promises something, that is asked for. Of a webhook that nobody
knows, only a clear refusal counts: a message that is wrongly taken for lost is sent again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import requests

LONGEST_REASON = 120

_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|script|meta)\b",
    re.IGNORECASE | re.DOTALL,
)
_LOOKED_AT_BYTES = 4096


def _has_id(content: Mapping[str, Any], _text: bytes) -> bool:
    return "id" in content


# From the documentation of each; Rocket.Chat's code is in apps/meteor/app/integrations/server/api/api.ts.
_PROMISED: Mapping[str, tuple[str, Callable[[Mapping[str, Any], bytes], bool]]] = {
    "Telegram": ('"ok": true', lambda content, _text: content.get("ok") is True),
    "Rocket.Chat": (
        '"success": true',
        # Where it is asked as a user, it answers logins with "status".
        lambda content, _text: content.get("success") is True or content.get("status") == "success",
    ),
    "Mattermost": ("ok", lambda content, text: text.strip() == b"ok" or "id" in content),
    "ntfy": ('"id"', _has_id),
    "Gotify": ('"id"', _has_id),
    "Discord": ('"id"', lambda content, text: "id" in content or not text),
}


def objection(answer: requests.Response, service: str, *, is_own_host: bool) -> str | None:
    """Return why an answer of 2xx by `service` (Apprise's name for it) is no delivery, None if it is one.

    `is_own_host`: the channel's URL names the host, so that anything may answer there. Of services that are
    always at the same host, without a promise here, Apprise knows best what they answer.
    """
    body, content = answer.content, content_of(answer)
    promised, keeps = _PROMISED.get(service, ("", None))
    if keeps is None and not is_own_host:
        return None
    if _PAGE.match(body[:_LOOKED_AT_BYTES]):
        return "with a web page (of a login, a proxy or a portal?), so it was not taken"
    if content.get("ok") is False or content.get("success") is False:
        said = reason_in(content)
        return "with a refusal" + (f" ({said})" if said else "")
    if keeps is not None and not keeps(content, body):
        return f"without the {promised} of {service}, so it was not taken"
    return None


def content_of(answer: requests.Response) -> Mapping[str, Any]:
    """Return the JSON object that an answer is, an empty one if it is none."""
    try:
        content = answer.json()
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def reason_in(content: Mapping[str, Any]) -> str:
    """Return the reason that an answer gives. One with a slash may be the path, and that is secret."""
    text = content.get("description") or content.get("error")
    usable = isinstance(text, str) and "/" not in text and len(text) <= LONGEST_REASON
    return str(text) if usable else ""
