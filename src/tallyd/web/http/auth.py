"""Who may look: by the name it is asked for (`Names`), and by a password (`Passwords`)."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import ipaddress
import re
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Literal

LONGEST_DELAY_S: Final = 8.0
MOST_WAITING: Final = 3
"""So many wrong passwords of one address are answered late at a time; more are not even looked at."""
FORGOTTEN_AFTER_S: Final = 900.0
_HOST: Final = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[^\[\]:/?#@\s]+))(?::[0-9]{0,5})?")
MOST_ADDRESSES: Final = 1000


class Names:
    """The names by which the page may be asked for: a browser lured to it by another one is refused.

    Those are the address it listens on, localhost, and `more`. Where it listens on every address, any IP
    address is one: only a name can be pointed somewhere else.
    """

    def __init__(self, address: str, more: Collection[str]) -> None:
        own = ipaddress.ip_address(address)
        self._takes_any_address = own.is_unspecified
        self._known = {str(own), "localhost", "127.0.0.1", "::1", *(name.lower() for name in more)}

    def may(self, host: str) -> bool:
        """Whether a `Host` header, its port left aside, is one of them."""
        found = _HOST.fullmatch(host.strip().lower())
        if found is None:
            return False
        name = found["address"] or found["name"]
        if name in self._known:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self._takes_any_address or str(address) in self._known


@dataclass
class _Tries:
    """What an address got wrong: how often, since when that counts, how many answers are under way."""

    failures: int = 0
    last_s: float = 0.0
    waiting: int = 0


Verdict = Literal["right", "wrong", "absent", "busy"]


class Passwords:
    """Compares passwords in constant time, and says how long the answer to a wrong one is to be held back.

    One address can so try a few a second at most, and slows down nobody else. Of one thread.
    """

    def __init__(self, password: str, *, monotonic: Callable[[], float]) -> None:
        self._digest = _digest(password)
        self._monotonic = monotonic
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def check(self, client: str, authorization: str | None) -> Verdict:
        """Return what a request's `Authorization` is; `busy`: too many wrong ones of that client wait."""
        if authorization is None:
            return "absent"
        tries = self._of(client)
        if tries.waiting >= MOST_WAITING:
            return "busy"
        given = _password_of(authorization)
        if given is not None and hmac.compare_digest(_digest(given), self._digest):
            tries.failures = 0
            return "right"
        tries.failures += 1
        return "wrong"

    def delay_s(self, client: str) -> float:
        """Return how long the answer to a wrong password is held back: twice as long after each."""
        return min(LONGEST_DELAY_S, 0.25 * 2.0 ** min(self._of(client).failures, 10))

    def begin_waiting(self, client: str) -> None:
        self._of(client).waiting += 1

    def end_waiting(self, client: str) -> None:
        tries = self._of(client)
        tries.waiting = max(0, tries.waiting - 1)

    def _of(self, client: str) -> _Tries:
        client, now_s = _network(client), self._monotonic()
        tries = self._tries.pop(client, None)
        if tries is None or (now_s - tries.last_s > FORGOTTEN_AFTER_S and not tries.waiting):
            tries = _Tries()
        tries.last_s = now_s
        self._tries[client] = tries  # at the end: the one that was heard of last is forgotten last
        if len(self._tries) > MOST_ADDRESSES:
            self._tries.popitem(last=False)
        return tries


def _network(client: str) -> str:
    """Return an address; of IPv6 the network of 64 bits around it, all of which one machine may have."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv4Address) or address.ipv4_mapped:
        return str(address)
    return str(ipaddress.ip_network((int(address), 64), strict=False))


def _digest(password: str) -> bytes:
    # Of equal length whatever was typed, so that comparing tells not even that.
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest()


def _password_of(authorization: str) -> str | None:
    """Return the password of HTTP Basic, whatever the user's name; None where there is none to be read."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        _user, colon, password = b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password if colon else None
