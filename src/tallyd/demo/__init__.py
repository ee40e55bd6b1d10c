"""`tallyd demo`: the real daemon against a small world that it starts itself, all of it invented.

`story.py` is the main flow, and `show.py` what it shows. `world.py` is the world (`server.py` serves it;
`divera.py` with `people.py`, `cameras.py` with `crowd.py`, `upstream.py`, `servers.py`, `chat.py` are what is
in it). `folder.py`, `times.py` and `child.py` are what the daemon is given: its files, its timetable, and a
process that can't outlive the demo. `counts.py` and `files.py` read what it did, `summary.py` sums that up;
`client.py` asks the world, `received.py` what reached it, and `outage.py` plays an outage.
"""

from __future__ import annotations


def demo(*, duration: str | None, serve_only: bool, port: int) -> int:
    """Run the demo, or serve its world alone, until Ctrl-C or for a duration such as `60s`.

    Return the exit status: 0, 1 with a reason on stderr, 2 for a duration that is none.
    """
    # Imported when called, so that `tallyd --help` stays quick.
    from pydantic_core import PydanticCustomError  # noqa: PLC0415 # see above

    from tallyd.console import complain  # noqa: PLC0415 # see above
    from tallyd.core.errors import EXIT_USAGE  # noqa: PLC0415 # see above
    from tallyd.demo.story import play, serve_alone  # noqa: PLC0415 # see above
    from tallyd.settings import parse_duration  # noqa: PLC0415 # see above

    try:
        lasts_s = None if duration is None else parse_duration(duration)
    except PydanticCustomError as error:
        complain(f"tallyd: --for {error.message()}")
        return EXIT_USAGE
    return serve_alone(port=port, lasts_s=lasts_s) if serve_only else play(port=port, lasts_s=lasts_s)
