"""The settings of a request to a server: how it is asked, and who may ask."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from tallyd.core.system_words import reason_of
from tallyd.core.texts import shortened
from tallyd.pollers.servers.sources.credentials import Credentials
from tallyd.pollers.servers.sources.extraction import Extraction, ReplyHeader
from tallyd.pollers.servers.sources.http import HttpSource
from tallyd.settings.headers import HEADER_NAME, Headers, Plain, unencrypted_header
from tallyd.settings.secrets import Secret, named_files
from tallyd.settings.types import FolderPath, Strict, wrong

_HEADER_VALUE = re.compile(r"[!-~\x80-\xff](?:[ -~\x80-\xff]*[!-~\x80-\xff])?")
_OURS = frozenset({"accept-encoding", "connection", "content-length", "host", "transfer-encoding"})
_JSON = Plain("application/json")


def _headers(headers: dict[str, Secret]) -> dict[str, Secret]:
    for name, value in headers.items():
        header_name(name)
        if name.lower() in _OURS:
            raise wrong(f'"{name}" is set by tallyd itself; remove it')
        value.check(_header_value)
    if len({name.lower() for name in headers}) < len(headers):
        raise wrong("names a header twice; upper and lower case make no difference")
    return headers


def header_name(name: str) -> str:
    """Return the name of a header; raise `wrong()` for anything else."""
    if not HEADER_NAME.fullmatch(name):
        raise wrong(f'"{shortened(name, 40)}" is not a header name')
    return name


def _header_value(value: str) -> None:
    if not _HEADER_VALUE.fullmatch(value):
        raise wrong("has a value that cannot be sent in a header; use only Latin characters")


def _certificates(written: str, info: ValidationInfo, *, load: Callable[[Path], None], what: str) -> str:
    """Return the absolute path of a file (PEM) that `load` accepts. `what` should be in it."""
    reader = named_files(info)
    path = reader.path_of(written) if reader else Path(written).absolute()
    try:
        _load(load, path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise wrong(f"{path} is missing. Put {what} there (PEM).") from None
    except ssl.SSLError:
        raise wrong(f"{path} must contain {what} (PEM), without a password") from None
    except OSError as error:
        raise wrong(f"{path} cannot be read: {reason_of(error)}") from None
    return str(path)


@lru_cache(maxsize=64)
def _load(load: Callable[[Path], None], path: Path, _mtime_ns: int) -> None:
    """Read a file of certificates once for all targets that name it. Raises `OSError`."""
    load(path)


def _load_authorities(path: Path) -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)


def _load_own(path: Path) -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(path, password="")


def _body(written: object) -> object:
    if written is not None and not isinstance(written, str | dict | list):
        raise wrong("must be text, or a JSON object or list")
    return written


_Body = Annotated[
    Any,
    PlainValidator(_body),
    WithJsonSchema({"type": ["string", "object", "array", "null"], "default": None}),
]


class AuthSettings(Strict):
    """Who asks: a user with a password, or the holder of a token."""

    user: str | None = Field(None, min_length=1, description="User name (Basic authentication).")
    password: Secret | None = Field(None, description="Password of `user`.")
    bearer: Secret | None = Field(None, description="Token (Bearer authentication).")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        is_basic = self.user is not None and self.password is not None
        if is_basic is (self.bearer is not None) or (self.user is None) is not (self.password is None):
            raise wrong("must have `user` and `password`, or `bearer` alone")
        if self.user is not None and ":" in self.user:
            raise wrong("has a `user` with a colon, which Basic authentication cannot send")
        return self


class RequestKeys(Strict):
    """Settings of the request to one server, or in `defaults` to all servers."""

    method: Literal["GET", "HEAD", "POST"] = Field(
        "GET", description="Method of the request. `HEAD` asks only for headers; see `header`."
    )
    body: _Body = Field(
        None, description="Body of a POST: text, or JSON that is sent as `application/json`. No secret."
    )
    headers: Annotated[Headers, AfterValidator(_headers)] = Field(
        {},
        description="More headers, added to those of `defaults`. Each value is a secret, unless it is "
        "written directly and the name is harmless (Accept, User-Agent, X-Api-Version, X-Env, ...).",
    )
    auth: AuthSettings | None = Field(
        None, description="Sent as the header `Authorization`: `user` and `password`, or `bearer`."
    )
    ca_file: (
        Annotated[
            FolderPath,
            AfterValidator(
                partial(_certificates, load=_load_authorities, what="the certificate of the authority")
            ),
        ]
        | None
    ) = Field(
        None,
        description="File (PEM) with the certificate authorities to trust, relative to the config file. "
        "Default: those that this machine trusts.",
    )
    client_cert: (
        Annotated[
            FolderPath,
            AfterValidator(partial(_certificates, load=_load_own, what="a certificate and its private key")),
        ]
        | None
    ) = Field(
        None,
        description="File (PEM) with our own certificate and its private key, for a server that asks for "
        "them, relative to the config file.",
    )

    @field_validator("auth")
    @classmethod
    def _is_alone(cls, auth: AuthSettings | None, info: ValidationInfo) -> AuthSettings | None:
        if auth and any(name.lower() == "authorization" for name in info.data.get("headers", ())):
            raise wrong("sets the header Authorization, which is also in `headers`; keep one")
        return auth

    @property
    def all_headers(self) -> Mapping[str, Secret]:
        """The headers, with that of `auth`."""
        if self.auth is None:
            return self.headers
        secret = self.auth.bearer or self.auth.password
        assert secret is not None  # noqa: S101 # `_is_one` has seen to it
        return {**self.headers, "Authorization": Credentials(self.auth.user, secret)}


def http_source(own: RequestKeys, defaults: RequestKeys, url: str, extraction: Extraction) -> HttpSource:
    """Return the source of a server with its own keys merged over the defaults."""

    def keys_of(key: str) -> RequestKeys:
        return own if key in own.model_fields_set else defaults

    body = keys_of("body").body
    headers = dict(defaults.all_headers)
    if isinstance(body, dict | list):
        headers = {"Content-Type": _JSON, **headers}
        body = json.dumps(body, ensure_ascii=False)
    mine = own.all_headers
    named = {name.lower() for name in mine}
    ca_file, client_cert = keys_of("ca_file").ca_file, keys_of("client_cert").client_cert
    return HttpSource(
        url=url,
        method=keys_of("method").method,
        headers={**{name: value for name, value in headers.items() if name.lower() not in named}, **mine},
        body=None if body is None else body.encode(),
        ca_file=Path(ca_file) if ca_file else None,
        client_cert=Path(client_cert) if client_cert else None,
        extraction=extraction,
    )


def fault_of_request(source: HttpSource) -> tuple[str, str] | None:
    """Return the first wrong key of a merged request, and what is wrong with it; None: nothing."""
    if name := unencrypted_header(source.url, source.headers):
        return "url", (
            f"begins with http://, which would send the header {name} unencrypted, and that may be a secret; "
            "use https://"
        )
    if source.url.startswith("http://"):
        for key in ("ca_file", "client_cert"):
            if getattr(source, key) is not None:
                return key, "has no effect: the url begins with http://, which uses no certificate"
    if source.body is not None and source.method != "POST":
        return "body", 'is only sent with "method": "POST"'
    if source.method == "HEAD" and not isinstance(source.extraction, ReplyHeader):
        return "method", "asks for no body, so the time must be in a `header`"
    return None
