"""What people are shown who ask for a source or a group that there is not."""

from __future__ import annotations

from tallyd.contract.board import AskedError
from tallyd.core.language.messages import tr
from tallyd.core.texts import visible
from tallyd.settings.types import nearest


def no_group(name: str, groups: tuple[str, ...]) -> AskedError:
    """Return that there is no such group, and which there are."""
    return AskedError(
        tr(
            'there is no group "{group}" in the config[; did you mean "{near}"?][; there is: {known}]'
            "{none:; there is none}",
            group=visible(name),
            **_known(name, groups),
        )
    )


def no_source(name: str, sources: tuple[str, ...]) -> AskedError:
    """Return that there is no such source, and which there are."""
    return AskedError(
        tr(
            'no source "{source}" is configured, and none of that name has records then'
            '[; did you mean "{near}"?][; there is: {known}]',
            source=visible(name),
            **_known(name, sources),
        )
    )


def _known(name: str, names: tuple[str, ...]) -> dict[str, object]:
    near = nearest(name, names)
    shown = "" if near else ", ".join(map(visible, names))
    return {"near": visible(near), "known": shown, "none": None if names else 1}
