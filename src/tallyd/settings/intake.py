"""Settings of the intake: where cameras send their files, and with which passwords."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from tallyd.settings.listen import ListenSettings, check_password
from tallyd.settings.secrets import Secret
from tallyd.settings.types import wrong


def _sender(written: str) -> str:
    poller, slash, source = written.partition("/")
    if not (poller and slash and source.strip()) or "/" in source or source.startswith("."):
        raise wrong('must be a poller and a source, such as "park/12"')
    return written


def _some(passwords: dict[str, Secret]) -> dict[str, Secret]:
    if not passwords:
        raise wrong('must name who may send, such as {"park/12": "file:secrets/gate-12"}')
    return passwords


Sender = Annotated[str, AfterValidator(_sender)]
Password = Annotated[Secret, AfterValidator(lambda password: password.check(check_password))]


class IntakeSettings(ListenSettings):
    """The intake: cameras send files over HTTP instead of dropping them into the inbox."""

    key: ClassVar = "intake"

    listen: str = Field(
        "127.0.0.1:8711",
        description="Address and port, such as `127.0.0.1:8711`, `0.0.0.0:8711` or `[::1]:8711`.",
    )
    passwords: Annotated[dict[Sender, Password], AfterValidator(_some)] = Field(
        description="Who may send, as `POLLER/SOURCE`, and the password or token of each. Secrets.",
    )
