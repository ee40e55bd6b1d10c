"""Messages in the reader's language, by gettext catalogs.

Three kinds of text:

- `tr`: somebody reads it now. A constant that is translated later is marked with `mark`.
- `english`: it is stored or logged, and somebody may read it later (why a run failed). It stays English.
  A constant that is filled later is marked with `mark_english`.
- `translated`: shows such a stored text to a reader, who may have another language.
"""

from __future__ import annotations

from datetime import timedelta

from tallyd.core.language.catalogs import TALLYD, filled, in_catalog
from tallyd.core.language.formats import span
from tallyd.core.language.languages import language
from tallyd.core.language.stored import of_stored
from tallyd.core.language.templates import read_template


def tr(message: str, **values: object) -> str:
    """Return a message in the reader's language. `message` is a constant, in the form of `templates.py`.

    A value is a text, or a number, which the reader's language writes. A port or a year is a text.
    """
    return filled(translation(message), values)


def mark(message: str) -> str:
    """Return a constant as it is: the catalogs have it, and `tr` or `translation` is called with it later."""
    return message


def mark_english(message: str) -> str:
    """Return a constant as it is: the catalogs have it, and `english` is called with it later."""
    return message


def english(message: str, **values: object) -> str:
    """Return a message in English, for the log and for what is stored. `translated` shows it to readers.

    A value is a text in English, a number, or a duration.
    A number in it is shown as the reader's language writes it, and a value that is a message of several
    words is translated, unless the name of its placeholder says that it is a name: `{name}`, `{file}`,
    `{status}` and others (`stored.py`), or any `{..._id}`, `{..._name}` or `{..._names}`. An `{address}` has
    no spaces.
    """
    return read_template(message).filled(TALLYD | values, _in_english)


def translation(message: str) -> str:
    """Return the message in the reader's language, its placeholders still in it; unknown ones as they are."""
    wanted = language()
    return message if wanted == "en" else in_catalog(message, "tallyd", wanted)


def translated(text: str) -> str:
    """Return a text that `english` or `mark` made, in the reader's language; any other text as it is."""
    wanted = language()
    return text if wanted == "en" else of_stored(text, wanted)


def _in_english(value: object) -> str:
    return span(value.total_seconds(), "en") if isinstance(value, timedelta) else str(value)
