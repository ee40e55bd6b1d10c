"""Where something is served: an address and a port of this machine."""

from __future__ import annotations

import ipaddress
import re
from typing import ClassVar, Self

from pydantic import Field, field_validator

from tallyd.core.language.messages import english
from tallyd.settings.types import Strict, wrong

_LISTEN = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+|localhost)):(\d{1,5})", re.ASCII)
_SHORTEST_PASSWORD = 8


class ListenSettings(Strict):
    """An address and a port to listen on. `key` is that of these settings in the config."""

    key: ClassVar[str]

    listen: str = Field(description="Address and port, such as `127.0.0.1:8710` or `[::1]:8710`.")

    @field_validator("listen")
    @classmethod
    def _is_address(cls, written: str) -> str:
        found = _LISTEN.fullmatch(written)
        text = english('must be an IP address and a port, such as "127.0.0.1:8710"')
        if not found or int(found[3]) > 65535:
            raise wrong(text)
        try:
            address_of(written)
        except ValueError:
            raise wrong(text) from None
        return written

    @property
    def address(self) -> str:
        """The IP address to listen on."""
        return str(address_of(self.listen))

    @property
    def port(self) -> int:
        """The port; 0: any free port."""
        return int(self.listen.rpartition(":")[2])

    @property
    def public(self) -> dict[str, str]:
        """What the log says of it, besides where it is served."""
        return {}

    def staying_at(self, before: Self) -> Self:
        """Return these settings for as long as they can only be served at the place of others."""
        return self.model_copy(update={"listen": before.listen})


def address_of(listen: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address of a place. Raises ValueError."""
    host = listen.rpartition(":")[0].strip("[]")
    return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)


def check_password(password: str) -> None:
    """Raise `wrong()` for a password that can be guessed."""
    if len(password) < _SHORTEST_PASSWORD:
        raise wrong(
            f"is too short; use at least {_SHORTEST_PASSWORD} characters, because the network can reach it"
        )
