"""Makes an Apprise plugin for a URL, with everything turned off except sending."""

from __future__ import annotations

import logging
import re

from apprise import AppriseAsset, NotifyBase
from apprise.plugins import N_MGR, url_to_dict

from tallyd.adapters.channels.rocketchat_url import UnusableUrl, apprise_url
from tallyd.core.addresses import HOW_TO_ESCAPE, is_ambiguous
from tallyd.core.language.messages import english

_WEBHOOK = english("Rocket.Chat needs a webhook: https://host/hooks/ID/TOKEN")
_MAIL = english("mail needs a server and an address: mailtos://USER:PASSWORD@host?to=ADDRESS")
_HINTS = {
    "tgram": english("Telegram needs a bot token and a chat: tgram://TOKEN/CHAT"),
    "rocket": _WEBHOOK,
    "rockets": _WEBHOOK,
    "mailto": _MAIL,
    "mailtos": _MAIL,
    "json": english("it needs a host: {form}", form="json://host/path"),
    "jsons": english("it needs a host: {form}", form="jsons://host/path"),
    "http": english("for a webhook of your own use json://host/path"),
    "https": english(
        "for a webhook of your own use jsons://host/path; one of Rocket.Chat is https://host/hooks/ID/TOKEN"
    ),
}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30}):/")


class Complaints(logging.Handler):
    """Collects Apprise's warnings in `lines`. It ignores DEBUG lines, which contain tokens."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        logger = logging.getLogger("apprise")
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        logger.handlers = [self]

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def service(url: str, *, timeout_s: float) -> NotifyBase:
    """Return the plugin for `url`. Raises `UnusableUrl`; its text begins with a lower-case letter."""
    known = _SCHEME.match(url.strip())
    scheme = known[1].lower() if known else ""
    own_host = scheme in N_MGR and names_host(N_MGR[scheme])
    if is_ambiguous(url, at_may_follow="in values" if own_host else "anywhere"):
        raise UnusableUrl(HOW_TO_ESCAPE)
    try:
        settings = url_to_dict(apprise_url(url))  # type: ignore[no-untyped-call] # Apprise left the types out
        if settings is not None:
            return _made(settings, timeout_s)
    except UnusableUrl:
        raise
    except Exception:  # noqa: S110 # 170 plugins raise anything, with the URL in the text
        pass
    raise UnusableUrl(_why_unusable(scheme))


def names_host(plugin_type: type[NotifyBase]) -> bool:
    """Whether the URLs of a service contain a host. Other services have a fixed host."""
    templates: tuple[str, ...] = plugin_type.templates
    return any("{host}" in template for template in templates)


def _made(settings: dict[str, object], timeout_s: float) -> NotifyBase:
    plugin_type = N_MGR[str(settings["schema"])]
    if not plugin_type.enabled:
        raise UnusableUrl(
            english("{name} needs Python packages that are not installed", name=plugin_type.service_name)
        )
    # A URL could ask for these options. They would change the text, report success after a failure, repeat
    # the message, or read files.
    settings.pop("format", None)
    settings |= {"asset": _asset(), "emojis": False, "optional": False, "overflow": "split"}
    settings |= {"redirect": False, "retry": 0, "store": "no", "wait": 0}
    if settings["schema"] == "tgram":
        settings.pop("template", None)  # a file, whose content would be sent instead
    # Each step may use the whole time: the parent enforces the limit.
    settings |= {"cto": timeout_s, "rto": timeout_s}
    plugin: NotifyBase = plugin_type(**settings)
    if settings["schema"] == "tgram" and not getattr(plugin, "targets", ()):
        # Apprise would send to whoever wrote to the bot first.
        raise UnusableUrl(_HINTS["tgram"])
    plugin.request_rate_per_sec = 0.0
    return plugin


def trait(plugin: NotifyBase, name: str) -> str:
    """Return an attribute that only some plugins have, as text; empty if this one does not have it."""
    return str(getattr(plugin, name, "") or "")


def _asset() -> AppriseAsset:
    return AppriseAsset(
        storage_mode="memory",
        app_id="tallyd",
        app_desc="tallyd",
        app_url="",
        http_redirects=False,
        # No pictures: everybody who reads the message would load them from GitHub.
        image_url_mask="",
        image_url_logo="",
        pem_autogen=False,
        pgp_autogen=False,
    )


def _why_unusable(scheme: str) -> str:
    if not scheme:
        return english("a channel begins with the name of its service, such as tgram:// or mailtos://")
    if scheme in _HINTS:
        return _HINTS[scheme]
    if scheme not in N_MGR:
        return english('the scheme "{scheme_name}" is not known', scheme_name=scheme)
    plugin_type = N_MGR[scheme]
    return english(
        "{name} does not accept this URL; see {page_name}",
        name=plugin_type.service_name,
        page_name=plugin_type.setup_url,
    )
