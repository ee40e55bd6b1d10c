"""Posts a report to the upstream, and evaluates the answer."""

from __future__ import annotations

import json
from typing import Final

from tallyd.contract.delivery import Accepted, Refused
from tallyd.contract.http import Reply, Request
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError
from tallyd.core.language.messages import english
from tallyd.core.privacy.redaction import Redactor
from tallyd.core.reading import OutboxMessage
from tallyd.core.texts import shortened
from tallyd.pollers.visitors.report.upstream import answer_field, is_success
from tallyd.pollers.visitors.settings import ReportSettings, VisitorsSettings

_WORTH_ANOTHER_TRY: Final = frozenset({408, 425, 429})
"""The 4xx answers that only ask to wait."""
_LONGEST_ANSWER: Final = 200
_SHORTEST_WORD: Final = 8
"""Shortest secret word of a secret with several words; shorter ones (Basic, Bearer) are not secret."""


def deliver(
    settings: VisitorsSettings, message: OutboxMessage, tools: Toolbox, *, timeout_s: float
) -> Accepted | Refused:
    """Post one report, once. Raises `SourceError` if a later try may succeed, and `Stopped`."""
    report = settings.report
    if report is None or report.url is None:
        raise AssertionError("nothing is sent without `report.url`")
    headers = {name: secret.reveal() for name, secret in report.headers.items()}
    headers["Content-Type"] = "application/json; charset=utf-8"
    body = json.dumps(message.body, ensure_ascii=False, separators=(",", ":")).encode()
    request = Request(
        url=report.url, method="POST", headers=headers, body=body, timeout_s=timeout_s, is_sent_once=True
    )
    try:
        reply = tools.http.request(request).result()
    except SourceError as failure:
        if _is_for_good(failure):
            return Refused(f"HTTP {failure.status}", for_good=True)
        raise
    return _evaluated(reply, report)


def _is_for_good(failure: SourceError) -> bool:
    status = failure.status
    return status is not None and 400 <= status < 500 and status not in _WORTH_ANOTHER_TRY


def _evaluated(reply: Reply, report: ReportSettings) -> Accepted | Refused:
    """Return the meaning of a 2xx answer; it may also be a rejection."""
    success, status = report.success, f"HTTP {reply.status}"
    if success is None:
        return Accepted(status)
    said = answer_field(reply.body, success.field)
    shown = None if said is None else _shown(said, report)
    if is_success(reply.body, field=success.field, equals=success.equals):
        return Accepted(shown or status)
    field = shortened(success.field, 40)
    if shown is None:
        answer = english(
            "HTTP {status}, no {field_name} in the answer", status=reply.status, field_name=field
        )
        return Refused(answer, for_good=False)
    return Refused(f'{status}, {field} "{shown}"', for_good=False)


def _shown(said: str, report: ReportSettings) -> str:
    """Return the upstream's words without secrets: some servers repeat what they received."""
    secrets = [value.reveal() for value in report.headers.values() if value.is_secret]
    # For `Bearer TOKEN`, only the token may come back.
    words = [word for secret in secrets for word in secret.split() if len(word) >= _SHORTEST_WORD]
    return shortened(Redactor([*secrets, *words]).redact(said), _LONGEST_ANSWER)
