"""The channels to people, as the rest of tallyd uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from tallyd.adapters.channels.child_pool import CHILD, Children
from tallyd.core.alerts.message import Message
from tallyd.core.errors import DeliveryError
from tallyd.core.language.messages import english
from tallyd.core.texts import shortened

LONGEST_TEXT = 300


class Channels:
    """Sends messages to Apprise URLs and Rocket.Chat webhooks. Thread-safe.

    `timeout_s` is for a whole call, from the start of the child to its answer. `proxy` is for HTTP and HTTPS
    to any host except this machine itself, not for mail. No proxy comes from the environment. `redact` is
    applied to every text that is raised or returned.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        proxy: str | None,
        redact: Callable[[str], str],
        command: Sequence[str] = CHILD,
    ) -> None:
        self._timeout_s = timeout_s
        self._proxy = proxy
        self._redact = redact
        self._children = Children(command)

    def deliver(self, url: str, message: Message) -> None:
        """Return once the service has accepted the whole message. Raises `DeliveryError` and `Stopped`.

        After a `DeliveryError` the message may still have arrived, completely or in part.
        """
        self._done({"act": "deliver", "urls": [url], **asdict(message)})

    def validate(self, urls: Sequence[str]) -> tuple[str | None, ...]:
        """Return for each URL what is wrong with it; None if it is fine. Uses Apprise, but no network.

        Raises `DeliveryError` if the check itself fails, and `Stopped`.
        """
        if not urls:
            return ()
        found = self._asked({"act": "validate", "urls": list(urls)}).get("found")
        if not isinstance(found, list) or len(found) != len(urls):
            raise DeliveryError(english("the checking process gave no readable answer"))
        return tuple(None if text is None else self._shown(text) for text in found)

    def probe(self, url: str) -> str:
        """Return one line about what answers. Sends no message. Raises `DeliveryError` and `Stopped`."""
        return self._shown(self._done({"act": "probe", "urls": [url]}).get("line", ""))

    def abort(self) -> None:
        """Kill all children. All current and later calls raise `Stopped`."""
        self._children.abort()

    def _done(self, job: Mapping[str, object]) -> Mapping[str, object]:
        """Return the child's answer if the job succeeded. Raises `DeliveryError` and `Stopped`."""
        answer = self._asked(job)
        if answer.get("ok") is True:
            return answer
        raise DeliveryError(
            self._shown(answer.get("reason") or english("not accepted, and no reason was given"))
        )

    def _asked(self, job: Mapping[str, object]) -> Mapping[str, object]:
        return self._children.ask({**job, "proxy": self._proxy}, timeout_s=self._timeout_s)

    def _shown(self, text: object) -> str:
        return shortened(self._redact(str(text)), LONGEST_TEXT)
