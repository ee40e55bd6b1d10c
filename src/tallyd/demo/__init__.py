"""The demo: the real daemon in a small world of invented data, only on this machine.

`story.py` is the main flow, `show.py` prints what happens. `world/` is the small world: `main.py` serves it
(`http_server.py`); its parts are `divera.py` with `people.py`, `cameras.py` with `crowd.py`, `upstream.py`,
`servers.py` and `chat.py`. `past/` writes the four weeks before, so that there is something to see at once.
"""

from __future__ import annotations

import os


def demo(*, duration: str | None, serve_only: bool, port: int) -> int:
    """Run the demo, or serve only its world, until Ctrl-C or for a duration such as `60s`.

    It speaks the language of the terminal, and so does the daemon in it.

    Return the exit status: 0; 1 with a reason on stderr; 2 for an invalid duration.
    """
    # Imported when called, so that `tallyd --help` stays fast.
    from pydantic_core import PydanticCustomError  # noqa: PLC0415 # see above

    from tallyd.core.errors import EXIT_PROBLEM, EXIT_USAGE  # noqa: PLC0415 # see above
    from tallyd.core.language.languages import language_of_locale, reading_in  # noqa: PLC0415 # see above
    from tallyd.presentation.terminal import complain  # noqa: PLC0415 # see above
    from tallyd.settings.types import parse_duration  # noqa: PLC0415 # see above

    try:
        from tallyd.demo.story import play, serve_alone  # noqa: PLC0415 # needs the libraries of the page
    except ModuleNotFoundError as error:
        complain(
            f"tallyd: the demo needs a library that is not installed ({error.name}). Install tallyd with the "
            'libraries for the page: pip install "tallyd[web]"'
        )
        return EXIT_PROBLEM
    try:
        lasts_s = None if duration is None else parse_duration(duration)
    except PydanticCustomError as error:
        complain(f"tallyd: --for {error.message()}")
        return EXIT_USAGE
    with reading_in(language_of_locale(os.environ)):
        return serve_alone(port=port, lasts_s=lasts_s) if serve_only else play(port=port, lasts_s=lasts_s)
