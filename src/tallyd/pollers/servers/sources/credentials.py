"""Who asks: the value of the header `Authorization`."""

from __future__ import annotations

import base64

from tallyd.settings.secrets import ReadSecret, Secret


class Credentials(Secret):
    """A user with a password; or, without a user, the holder of a token."""

    __slots__ = ("_secret", "_user")

    def __init__(self, user: str | None, secret: Secret) -> None:
        super().__init__("", secret.reference)
        self._user = user
        self._secret = secret

    def reveal(self, read: ReadSecret | None = None) -> str:
        """Return the header."""
        secret = self._secret.reveal(read)
        if self._user is None:
            return f"Bearer {secret}"
        return "Basic " + base64.b64encode(f"{self._user}:{secret}".encode()).decode()

    def __reduce__(self) -> tuple[type[Secret], tuple[str | None, Secret]]:  # type: ignore[override] # two parts
        return Credentials, (self._user, self._secret)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Credentials):
            return False
        return (self._user, self._secret) == (other._user, other._secret)

    def __hash__(self) -> int:
        return hash((self._user, self._secret))
