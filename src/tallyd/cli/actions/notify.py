"""`tallyd notify`: sends a test message to one channel."""

from __future__ import annotations

from pathlib import Path

from tallyd.cli.process.equipment import channels
from tallyd.cli.shared import load_config
from tallyd.config.model import Config
from tallyd.core.alerts.message import Message, trial
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, EXIT_USAGE, DeliveryError
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import tr, translated
from tallyd.core.privacy.redaction import Redactor
from tallyd.presentation.terminal import complain, say
from tallyd.settings.types import not_in_config


def notify(path: Path, channel: str, *, text: str | None) -> int:
    """Send a test message; return the exit status."""
    config = load_config(path)
    known = tuple(config.settings.channels)
    if channel not in known:
        complain(f'tallyd: there is no channel "{channel}"{not_in_config(channel, known)}')
        return EXIT_USAGE
    with reading_in(config.language_of(channel)):
        message = trial(config.settings.name, text)
    with reading_in(config.settings.language):
        return _deliver(config, channel, message)


def _deliver(config: Config, channel: str, message: Message) -> int:
    redact = Redactor(config.secrets).redact
    try:
        channels(config, redact).deliver(config.settings.channels[channel].url.reveal(), message)
    except DeliveryError as error:
        text = tr(
            "channel {channel} did not accept the message: {reason}",
            channel=channel,
            reason=translated(error.text),
        )
        complain(f"tallyd: {text}")
        return EXIT_PROBLEM
    text = tr("Channel {channel} accepted the message: {text}", channel=channel, text=redact(message.text))
    say(text, style="fine")
    return EXIT_OK
