"""The questions to a person who wants to count a Divera unit."""

from __future__ import annotations

from tallyd.core.language.messages import mark
from tallyd.core.questions import Question, words
from tallyd.core.reading import Json
from tallyd.pollers.divera.client import USERS_PATH, USERS_URL, is_pull_url, is_users_url

TIMES = "00:00, 08:00, 12:00, 16:00, 20:00"


def _address(typed: str) -> Json:
    """Return the address of the API for the address of a Divera server; None for the public server."""
    url = typed if "://" in typed else f"https://{typed}"
    try:
        is_whole = is_users_url(url) or is_pull_url(url)
    except ValueError:
        return url  # not a URL: the check of the config says so
    url = url if is_whole else url.rstrip("/") + USERS_PATH
    return None if url == USERS_URL else url


QUESTIONS = (
    Question(
        key=("url",),
        text=mark("Address of Divera"),
        help=mark("Press Enter for the public one. For your own server, type its address."),
        default=USERS_URL.removesuffix(USERS_PATH),
        read=_address,
    ),
    Question(
        key=("accesskey",),
        text=mark("Access key"),
        help=mark("The key of a system user of the unit; docs/divera.md says where to find it."),
        secret="divera-key",  # noqa: S106 # the name of a file
        tries=True,
    ),
    Question(
        key=("at",),
        text=mark("Times of day"),
        help=mark("When to count, every day: HH:MM, separated by commas."),
        default=TIMES,
        read=words,
    ),
)
