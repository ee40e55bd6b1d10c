"""Who may read: by the host name of the request (`Names`), and by a password (`Passwords`)."""

from __future__ import annotations

import asyncio
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
"""How many wrong passwords of one address wait for their late answers. More are not even checked."""
FORGOTTEN_AFTER_S: Final = 900.0
_HOST: Final = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[^\[\]:/?#@\s]+))(?::[0-9]{0,5})?")
MOST_ADDRESSES: Final = 1000


class Names:
    """The host names of the page. A browser that another page lured here uses another name, and is refused.

    The names are the address it listens on, localhost, and `more`. If it listens on every address, any IP
    address is allowed, because only a name can be pointed somewhere else.
    """

    def __init__(self, address: str, more: Collection[str]) -> None:
        own = ipaddress.ip_address(address)
        self._takes_any_address = own.is_unspecified
        self._known = {str(own), "localhost", "127.0.0.1", "::1", *(name.lower() for name in more)}

    def may(self, host: str) -> bool:
        """Whether a `Host` header, without its port, is one of them."""
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
    """How often an address was wrong, when it last asked, and how many of its answers wait."""

    failures: int = 0
    last_s: float = 0.0
    waiting: int = 0


Verdict = Literal["right", "wrong", "absent", "busy"]


class Passwords:
    """Compares passwords in constant time, and says how long to delay the answer to a wrong one.

    So one address can try only a few per second, and slows down nobody else. `takes_token`: it may also come
    as `Bearer`. For one thread.
    """

    def __init__(self, password: str, *, monotonic: Callable[[], float], takes_token: bool = False) -> None:
        self._digest = _digest(password)
        self._schemes: dict[str, Callable[[str], str | None]] = {
            "basic": _password_of,
            **({"bearer": str.strip} if takes_token else {}),
        }
        self._monotonic = monotonic
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def check(self, client: str, authorization: str | None) -> Verdict:
        """Return what the `Authorization` of a request is; `busy`: too many wrong ones of the client wait."""
        if authorization is None:
            return "absent"
        tries = self._of(client)
        if tries.waiting >= MOST_WAITING:
            return "busy"
        scheme, _, credentials = authorization.partition(" ")
        read = self._schemes.get(scheme.lower())
        given = read(credentials) if read else None
        if given is not None and hmac.compare_digest(_digest(given), self._digest):
            tries.failures = 0
            return "right"
        tries.failures += 1
        return "wrong"

    async def judge(self, client: str, authorization: str | None) -> Verdict:
        """Do what `check` does; if it is wrong, a little later."""
        verdict = self.check(client, authorization)
        if verdict == "wrong":
            self.begin_waiting(client)
            try:
                await asyncio.sleep(self.delay_s(client))
            finally:
                self.end_waiting(client)
        return verdict

    def delay_s(self, client: str) -> float:
        """Return how long to delay the answer to a wrong password: twice as long after each."""
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
        self._tries[client] = tries  # at the end: who asked last is forgotten last
        if len(self._tries) > MOST_ADDRESSES:
            self._tries.popitem(last=False)
        return tries


def _network(client: str) -> str:
    """Return an address; of IPv6 its network of 64 bits, because one machine may have all of it."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv4Address) or address.ipv4_mapped:
        return str(address)
    return str(ipaddress.ip_network((int(address), 64), strict=False))


def _digest(password: str) -> bytes:
    # Of equal length whatever was typed, so that comparing does not reveal the length.
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest()


def _password_of(encoded: str) -> str | None:
    """Return the password of HTTP Basic, with any user name; None if there is none."""
    try:
        _user, colon, password = b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password if colon else None
