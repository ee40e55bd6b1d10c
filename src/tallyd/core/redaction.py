r"""Takes secrets out of text. Whatever leaves for a log, a terminal or a chat passes through here last.

A secret changes its looks on the way into a message: `requests` percent-encodes it, `repr` and JSON put
backslashes before its quotes, PHP before its slashes, Basic authentication turns it into base64 together
with a user's name. One regular expression knows all of these, character by character, so that mixtures
(`a%2Fb/c`, JSON inside JSON) are found as well.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from urllib.parse import parse_qsl, unquote, urlsplit

SHORTEST = 4
"""A shorter secret is not redacted: its two or three characters stand in half of all words and numbers, so
the log would be shredded, and the holes would spell the secret out."""

MASK = "***"

_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]")
_BASE64 = "[A-Za-z0-9+/_-]"
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_SECRET_NAME = re.compile(r"(?i)key|token|secret|passw|pwd|auth|sig|code|hash")
_TOKEN_LENGTH = 8


class Redactor:
    """Knows secrets, and replaces every known form of each by `***`.

    The forms: plain, percent-encoded (once or more, wholly or in part), with the backslashes of JSON and
    `repr` (of text and of bytes, nested to any depth), with HTML entities, as base64 of either alphabet at
    any offset in what was encoded, and as hexadecimal digits. Of a secret that is a URL, the parts that
    make it secret count on their own: see `_parts`.
    """

    __slots__ = ("_cores", "_known", "_pattern")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = frozenset(secret for secret in secrets if len(secret) >= SHORTEST)
        forms = {part for secret in self._known for part in _parts(secret) if len(part) >= SHORTEST}
        # The longest first: where one secret begins with another, the whole of it has to go.
        branches = [branch for form in sorted(forms, key=len, reverse=True) for branch in _branches(form)]
        self._pattern = re.compile("|".join(branches)) if branches else None

    def redact(self, text: str) -> str:
        """Return `text` without any secret. Secrets shorter than `SHORTEST` are left standing."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def with_secrets(self, secrets: Iterable[str]) -> Redactor:
        """Return one that knows `secrets` too.

        The old ones stay known: a run that began before a reload still carries them in its exceptions.
        """
        return Redactor((*self._known, *secrets))

    def __repr__(self) -> str:
        return f"Redactor({len(self._known)} secrets)"
