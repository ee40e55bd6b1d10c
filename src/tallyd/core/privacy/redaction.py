r"""Removes secrets from text. This is the last step before a text goes to a log, a terminal or a chat.

A secret can change its form on the way into a message: `requests` percent-encodes it, `repr` and JSON put
backslashes before its quotes, PHP before its slashes, Basic authentication turns it into base64 together
with a user name. A regular expression knows all these forms, character by character, so it also finds
mixtures (`a%2Fb/c`, JSON inside JSON). With many secrets it is slow to compile and to search with. So it is
made only for the secrets of which a part occurs in the text (`redaction_index.py`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from urllib.parse import parse_qsl, unquote, urlsplit

from tallyd.core.privacy.redaction_index import UNRESERVED, Anchors

SHORTEST = 4
"""A shorter secret is not redacted: its two or three characters occur in half of all words and numbers. The
log would become unreadable, and the gaps would reveal the secret."""

MASK = "***"

_BASE64 = "[A-Za-z0-9+/_-]"
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_HOST = re.compile(r"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+|localhost)(?::\d{1,5})?")
_SECRET_NAME = re.compile(r"(?i)key|token|secret|passw|pwd|auth|sig|code|hash")
_CREDENTIALS = re.compile(r"[A-Za-z][A-Za-z0-9-]* +(\S+)")
"""A scheme and a token, as in `Bearer TOKEN` (RFC 9110, section 11.4)."""
_TOKEN_LENGTH = 8
_AT_A_TIME = 20
"""This many secrets share a regular expression; one for thousands would take minutes and much memory."""


class Redactor:
    """Knows secrets, and replaces every known form of each by `***`.

    The forms: plain, percent-encoded (once or more, fully or partly), with the backslashes of JSON and `repr`
    (of text and of bytes, nested to any depth), with HTML entities, as base64 of either alphabet at any
    offset in the encoded data, and as hexadecimal digits. The secret parts of a URL and of
    `Bearer TOKEN` are also secrets: see `_parts`.
    """

    __slots__ = ("_anchors", "_forms", "_known")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = frozenset(secret for secret in secrets if len(secret) >= SHORTEST)
        forms = {part for secret in self._known for part in _parts(secret) if len(part) >= SHORTEST}
        # The longest first: if one secret begins with another, all of it must be removed.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._anchors = Anchors([core for core, _ending in _cores(form)] for form in self._forms)

    def redact(self, text: str) -> str:
        """Return `text` without any secret. Secrets shorter than `SHORTEST` are not removed."""
        found = [self._forms[number] for number in self._anchors.found_in(text)]
        for at in range(0, len(found), _AT_A_TIME):
            text = _pattern(*found[at : at + _AT_A_TIME]).sub(MASK, text)
        return text

    def with_secrets(self, secrets: Iterable[str]) -> Redactor:
        """Return a redactor that also knows `secrets`.

        It keeps the old ones: a run that began before a reload still has them in its exceptions.
        """
        return Redactor((*self._known, *secrets))

    def __repr__(self) -> str:
        return f"Redactor({len(self._known)} secrets)"


def _parts(secret: str) -> Iterator[str]:
    """Yield `secret` and its secret parts: the token of `Bearer TOKEN`, or those of a URL.

    These are the password; the user name if it looks like a token; the path (libraries log it without the
    host) and each segment that looks like a token; each `name=value` of the query, and the value alone if its
    name or form shows that it is secret. Schemes other than http may also have a token in place of the host
    (`tgram://TOKEN/CHAT`), unless there is a password before it. Ordinary words, hosts and names of databases
    are not secret: a log with `***` in place of `tallyd` or `json` helps nobody.
    """
    yield secret
    if (credentials := _CREDENTIALS.fullmatch(secret)) and _is_token(credentials[1]):
        yield credentials[1]
    try:
        url = urlsplit(secret)
    except ValueError:
        return
    if not (url.scheme and url.netloc):
        return
    is_web = url.scheme in ("http", "https")
    userinfo, _, host = url.netloc.rpartition("@")
    user, _, password = (unquote(part) for part in userinfo.partition(":"))
    yield password
    if _is_token(user) or (len(user) >= _TOKEN_LENGTH and not password):
        yield user
    hosts = [] if is_web or password else [host, *host.split(":")]
    places = [*re.split("[/:]", url.path), *hosts]
    tokens = [token for token in map(unquote, places) if _is_token(token)]
    yield from tokens
    if (is_web and len(url.path) >= _TOKEN_LENGTH) or any(token in unquote(url.path) for token in tokens):
        yield unquote(url.path)
    for name, value in parse_qsl(url.query):
        yield f"{name}={value}"
        if _SECRET_NAME.search(name) or _is_token(value):
            yield value


def _is_token(text: str) -> bool:
    """Whether a part of a URL looks random: long, with digits or both cases, and not a host name."""
    mixed = text != text.lower() and text != text.upper()
    looks_drawn = mixed or len(text) >= 20 or any(char.isdigit() for char in text)
    return len(text) >= _TOKEN_LENGTH and looks_drawn and not _HOST.fullmatch(text)


@lru_cache(maxsize=64)
def _pattern(*forms: str) -> re.Pattern[str]:
    """Return the regular expression that matches every spelling of any of these forms."""
    cores = (core for form in forms for core in _cores(form))
    return re.compile("|".join(spelling + ending for core, ending in cores for spelling in _spellings(core)))


def _cores(form: str) -> Iterator[tuple[str, str]]:
    """Yield texts that together have every spelling of one form, each with what may follow it."""
    yield form, ""
    encodings = dict.fromkeys([_utf8(form), form.encode("latin-1", "ignore")])
    for data in (data for data in encodings if len(data) >= len(form)):
        yield data.hex(), ""
        yield data.hex().upper(), ""
        for offset in range(3):
            yield from _base64_cores(data, offset)


def _spellings(form: str) -> Iterator[str]:
    """Yield regular expressions for `form` with any of its characters escaped in any way.

    Each begins with a literal character, so that `re` can skip text without it. Backslashes are matched in
    whole runs: if they were matched one by one, nested escapes would backtrack without end.
    """
    units: list[list[str]] = []
    backslashes = 0
    for is_backslash, group in groupby(form, key="\\".__eq__):
        if is_backslash:
            backslashes = len(list(group))
            continue
        for char in group:
            units.append(_ways(char, backslashes))
            backslashes = 0
    if backslashes:
        units.append(_backslashes(backslashes))
    rest = "".join(unit[0] if len(unit) == 1 else f"(?:{'|'.join(unit)})" for unit in units[1:])
    yield from (first + rest for first in units[0])


def _ways(char: str, backslashes: int) -> list[str]:
    """Return the ways to write one character that has `backslashes` backslashes before it in the secret.

    The text may have more of them, never fewer.
    """
    before = _backslashes(backslashes) if backslashes else [""]
    literal = re.escape(char)
    if UNRESERVED.fullmatch(char):
        return [run + literal for run in before]
    code, utf8 = ord(char), _utf8(char)
    plain = [literal, "".join(map(_percent, utf8)), f"&(?:amp;)*(?i:#0*{code}|#x0*{code:x});"]
    if char in _ENTITIES:
        plain.append(f"&(?:amp;)*{_ENTITIES[char]};")
    if char == " ":
        plain.append(r"\+")
    utf16 = char.encode("utf-16-be", "surrogatepass").hex()
    escaped = [
        literal,
        _each_escaped(f"u(?i:{utf16[at : at + 4]})" for at in range(0, len(utf16), 4)),
        f"U(?i:{code:08x})",
        _each_escaped(f"x{byte:02x}" for byte in utf8),
    ]
    if 128 <= code < 256:  # latin-1: what Basic authentication and repr() make of it
        plain.append(_percent(code))
        escaped.append(f"x{code:02x}")
    more = _backslashes(backslashes + 1)[0]
    return [run + way for run in before for way in plain] + [f"{more}(?:{'|'.join(escaped)})"]


def _backslashes(count: int) -> list[str]:
    # A run matches as a whole, from its first backslash. So a long run is searched once, not once for each.
    run = rf"\\(?<!\\\\)\\{{{count - 1},}}+"
    return [run, "%(?:25)*5[cC]" * count]


def _each_escaped(codes: Iterable[str]) -> str:
    return r"\\++".join(codes)


def _percent(byte: int) -> str:
    return f"%(?:25)*(?i:{byte:02x})"


def _base64_cores(data: bytes, offset: int) -> Iterator[tuple[str, str]]:
    """Yield the base64 of `data` if `offset` (mod 3) bytes come before it.

    The characters at both ends also depend on their neighbours. The first is kept, because it has at most
    four bits of the secret. The last is removed too, with the padding.
    """
    text = base64.b64encode(b"\0" * offset + data).decode("ascii").rstrip("=")
    first = -(-offset * 8 // 6)
    last = (offset + len(data)) * 8 // 6
    core = text[first:last]
    ending = f"{_BASE64}?={{0,2}}" if last < len(text) else ""
    yield core, ending
    if "+" in core or "/" in core:
        yield core.replace("+", "-").replace("/", "_"), ending


def _utf8(text: str) -> bytes:
    # Environment variables may hold lone surrogates; those of a secret must not stop the log.
    return text.encode("utf-8", "surrogatepass")
