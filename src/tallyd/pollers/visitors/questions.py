"""For a person who wants to ingest files from cameras: the questions, and a config to begin with."""

from __future__ import annotations

from collections.abc import Mapping

from tallyd.core.language.messages import mark, tr
from tallyd.core.questions import NO, Question, optional
from tallyd.core.reading import Json

_ALWAYS = mark("always")


def _hours(typed: str) -> Json:
    start, _, end = (part.strip() for part in typed.partition("-"))
    return [{"from": start, "to": end}]


QUESTIONS = (
    Question(
        key=("inbox",),
        text=mark("Folder for the files"),
        help=mark("Cameras put their files here, each host in its own sub-folder."),
        default="inbox/visitors",
        tries=True,
    ),
    Question(
        key=("no_files",),
        text=mark("Alert after how long without a file"),
        help=mark('For example 5m or 1h; "no" turns this alert off.'),
        default="5m",
        read=optional(lambda typed: {"after": typed}),
    ),
    Question(
        key=("no_files", "active"),
        text=mark("Hours in which files must arrive"),
        help=mark('For example 09:00-18:00, every day; or "always".'),
        default="09:00-18:00",
        read=optional(_hours, without=_ALWAYS),
        only_with=("no_files",),
    ),
    Question(
        key=("report", "url"),
        text=mark("Address to post the counts to"),
        help=mark('The server that receives the counts; "no": only write them to files here.'),
        default=NO,
        read=optional(str),
    ),
    Question(
        key=("report", "ssid"),
        text=mark("Name (SSID) at that server"),
        help=mark("The name under which it expects the counts, such as SS-007."),
        only_with=("report", "url"),
    ),
)


def starter() -> Mapping[str, Json]:
    """Return a poller to begin with."""
    return {
        "//": tr(
            "The first sub-folder of the inbox is the source: {files}", files="inbox/visitors/12/*.json"
        ),
        "inbox": "inbox/visitors",
        "sources": {"12": {"label": tr("Gate {number}", number="12")}},
        "no_files": {"after": "5m", "active": [{"from": "09:00", "to": "18:00"}]},
        "//report": tr("With url and ssid, tallyd also posts it; without, it only writes it to out/"),
        "report": {"every": "5m"},
    }
