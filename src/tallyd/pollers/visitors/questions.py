"""What a person is asked who wants the files of cameras taken from a folder."""

from __future__ import annotations

from tallyd.core.questions import Question, optional
from tallyd.core.reading import Json

_ALWAYS = "always"


def _hours(typed: str) -> Json:
    start, _, end = (part.strip() for part in typed.partition("-"))
    return None if typed.casefold() == _ALWAYS else [{"from": start, "to": end}]


QUESTIONS = (
    Question(
        key=("inbox",),
        text="Folder of the files",
        help="Cameras drop their files into it, each host into a sub-folder of its own.",
        default="inbox/visitors",
        tries=True,
    ),
    Question(
        key=("no_files",),
        text="Alert after how long without a file",
        help='Such as "5m" or "1h"; "no" for no such alert.',
        default="5m",
        read=optional(lambda typed: {"after": typed}),
    ),
    Question(
        key=("no_files", "active"),
        text="Hours in which files must come",
        help='Such as "09:00-18:00", every day; or "always".',
        default="09:00-18:00",
        read=_hours,
        only_with=("no_files",),
    ),
    Question(
        key=("report", "url"),
        text="Address to post the counts to",
        help='The upstream that takes the counts; "no" to only write them to files here.',
        default="no",
        read=optional(str),
    ),
    Question(
        key=("report", "ssid"),
        text="Name (SSID) at that upstream",
        help="The name under which the upstream expects the counts, such as SS-007.",
        only_with=("report", "url"),
    ),
)
