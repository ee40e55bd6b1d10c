"""Settings of the page: address, password and host names."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from tallyd.core.language.messages import english
from tallyd.settings.listen import ListenSettings, address_of, check_password
from tallyd.settings.secrets import Secret
from tallyd.settings.types import as_tuple, wrong
from tallyd.settings.urls import Url

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_LINKABLE = re.compile(
    r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::\d+)?(?:/[A-Za-z0-9/._~%-]*)?", re.ASCII
)
_LONGEST_URL = 200


def _host(written: str) -> str:
    name = written.lower()
    if not _HOST.fullmatch(name):
        raise wrong("must be only a host name, such as tallyd.example: no scheme, no port, no path")
    return name


def _public(url: str) -> str:
    if "?" in url:
        raise wrong("contains a ?query, but tallyd adds to this address to make links; remove it")
    if not _LINKABLE.fullmatch(url):
        raise wrong(
            "contains a character that not every chat accepts in a link. Percent-encode the path, and write "
            "an international host name in its ASCII form (xn--...)"
        )
    if len(url) > _LONGEST_URL:
        raise wrong(f"is too long; use at most {_LONGEST_URL} characters, because messages contain it")
    return url


HostName = Annotated[str, AfterValidator(_host)]


class WebSettings(ListenSettings):
    """The page, the metrics and the API, over HTTP."""

    key: ClassVar = "web"

    listen: str = Field(
        "127.0.0.1:8710",
        description="Address and port, such as `127.0.0.1:8710`, `0.0.0.0:8710` or `[::1]:8710`.",
    )
    password: Secret | None = Field(
        None,
        description="Password for HTTP Basic, with any user name. Required on any address except loopback. "
        "A secret.",
    )
    hosts: Annotated[tuple[HostName, ...], BeforeValidator(as_tuple)] = Field(
        (), description="Host names that the page answers to, besides its address and localhost."
    )
    public_url: Annotated[Url, AfterValidator(_public)] | None = Field(
        None,
        description="Address that people use, such as `https://tallyd.example/`. Each notice then ends "
        "with a link to its subject. You need not repeat its host in `hosts`. It may have a path if a "
        "proxy in front removes that path: `https://example.org/tallyd/`.",
    )

    @field_validator("password")
    @classmethod
    def _is_needed(cls, password: Secret | None, info: ValidationInfo) -> Secret | None:
        listen = info.data.get("listen")
        if password is None and listen is not None and not address_of(listen).is_loopback:
            text = english(
                "is missing: anybody who can reach {listen} could read everything. Set one, such as "
                "file:secrets/web-password, or listen on 127.0.0.1 and use a tunnel: "
                "ssh -L 8710:127.0.0.1:8710 HOST",
                listen=listen,
            )
            raise wrong(text)
        return password if password is None else password.check(check_password)

    @property
    def names(self) -> tuple[str, ...]:
        """The host names that the page answers to, besides its address and localhost."""
        public = urlsplit(self.public_url).hostname if self.public_url else None
        return (*self.hosts, *((public,) if public else ()))

    @property
    def public(self) -> dict[str, str]:
        """The address that people use."""
        return {"public_url": self.public_url} if self.public_url else {}

    def staying_at(self, before: Self) -> Self:
        """Return these settings for the place of others. A password there is never dropped."""
        kept = {"listen": before.listen, "password": self.password or before.password}
        return self.model_copy(update=kept)
