"""Decides whether a 2xx answer means that the message was accepted. Apprise mostly checks only the status.

A proxy, a login page or a portal on the way answers with its own page and HTTP 200, and some services report
a failure in JSON. If a service documents a field for success, the answer must have it. For an unknown webhook
only a clear refusal counts as a failure: a message that wrongly counts as lost is sent again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import requests

from tallyd.core.language.messages import english

LONGEST_REASON = 120

_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|script|meta)\b",
    re.IGNORECASE | re.DOTALL,
)
_LOOKED_AT_BYTES = 4096


def _has_id(content: Mapping[str, Any], _text: bytes) -> bool:
    return "id" in content


# From the documentation of each service. For Rocket.Chat: apps/meteor/app/integrations/server/api/api.ts.
_PROMISED: Mapping[str, tuple[str, Callable[[Mapping[str, Any], bytes], bool]]] = {
    "Telegram": ('"ok": true', lambda content, _text: content.get("ok") is True),
    "Rocket.Chat": (
        '"success": true',
        # A URL with user and password logs in first, and the answer to a login has "status".
        lambda content, _text: content.get("success") is True or content.get("status") == "success",
    ),
    "Mattermost": ("ok", lambda content, text: text.strip() == b"ok" or "id" in content),
    "ntfy": ('"id"', _has_id),
    "Gotify": ('"id"', _has_id),
    "Discord": ('"id"', lambda content, text: "id" in content or not text),
}


def objection(answer: requests.Response, service: str, *, is_own_host: bool) -> str | None:
    """Return why a 2xx answer of `service` (Apprise's name) does not mean delivery; None if it does.

    `is_own_host`: the channel's URL contains the host, so anything may answer there. A service with a fixed
    host that is not in `_PROMISED` is left to Apprise.
    """
    body, content, status = answer.content, content_of(answer), answer.status_code
    promised, keeps = _PROMISED.get(service, ("", None))
    if keeps is None and not is_own_host:
        return None
    if _PAGE.match(body[:_LOOKED_AT_BYTES]):
        return english(
            "HTTP {status} with a web page (of a login, a proxy or a portal?), so the message was not "
            "accepted",
            status=status,
        )
    if content.get("ok") is False or content.get("success") is False:
        said = reason_in(content)
        return english("HTTP {status} with a refusal[ ({said})]", status=status, said=said)
    if keeps is not None and not keeps(content, body):
        return english(
            "HTTP {status} without the {promised} of {service}, so the message was not accepted",
            status=status,
            promised=promised,
            service=service,
        )
    return None


def content_of(answer: requests.Response) -> Mapping[str, Any]:
    """Return the answer's JSON object; an empty one if it has none."""
    try:
        content = answer.json()
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def reason_in(content: Mapping[str, Any]) -> str:
    """Return the reason in an answer.

    A text with a slash is left out: it may be the path, which is secret.
    """
    text = content.get("description") or content.get("error")
    usable = isinstance(text, str) and "/" not in text and len(text) <= LONGEST_REASON
    return str(text) if usable else ""
