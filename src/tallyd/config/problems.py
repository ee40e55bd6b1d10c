"""The errors of pydantic in words that help to fix them: the place, the fault, the likely fix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tallyd.core.errors import ConfigProblem
from tallyd.core.texts import shortened
from tallyd.settings.types import did_you_mean

TEXTS: Mapping[str, str] = {
    "missing": "is missing",
    "string_type": "must be text in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length:,} characters",
    "string_pattern_mismatch": 'a name may contain only a-z, 0-9, "_" and "-", and must begin with a '
    "letter or digit",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a number with fewer digits",
    "greater_than_equal": "must be {ge:,}{unit} or more",
    "less_than_equal": "must be {le:,}{unit} or less",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list: [ ... ]",
    "dict_type": "must be an object: {{ ... }}",
    "model_type": "must be an object: {{ ... }}",
    "model_attributes_type": "must be an object: {{ ... }}",
    "literal_error": "must be one of: {expected}",
    "union_tag_invalid": "must be one of: {expected_tags}",
    "union_tag_not_found": "is missing; it says what kind of poller this is",
    "extra_forbidden": "unknown key",
    "tallyd": "{text}",
    "tallyd_each": "{text}",
}
"""The text for each kind of error that the models can raise, filled with pydantic's data."""
_UNITS = {"_days": "day", "_bytes": "byte"}
"""The unit of a whole number, by the end of its key. A duration has its own."""
SAME_MEANING: tuple[frozenset[str], ...] = tuple(
    frozenset(words.split())
    for words in (
        "url address adress uri link endpoint webhook",
        "accesskey access_key apikey api_key key token secret",
        "password passwd pass pwd",
        "listen bind host port address adress",
        "hosts hostnames domains names",
        "at times time schedule when hours cron",
        "every interval period frequency",
        "timezone time_zone tz zone",
        "days weekdays",
        "inbox folder directory dir path watch",
        "dir folder directory path",
        "pattern glob filter",
        "targets servers hosts urls",
        "pollers jobs tasks checks",
        "channels channel notify notifications receivers",
        "keep_days retention days max_age",
        "attempts retries tries",
        "stale_after max_age threshold limit",
        "at_least minimum min requirements",
        "count number minimum min",
        "statuses status ids",
        "kind type",
        "label name title",
        "name hostname title",
        "level verbosity loglevel",
        "backups files rotate",
        "texts messages templates",
    )
)
"""Other words that people write for a key."""
_PLAIN_SEGMENT = re.compile(r"[A-Za-z0-9_$-]+")


def problems_of(error: ValidationError, model: type[BaseModel]) -> tuple[ConfigProblem, ...]:
    """Return one problem for each error, in the order of the file's model. Never with an input value."""
    details = error.errors(include_url=False, include_input=False)
    return tuple(problem for one in details for problem in _problems(one, model))


def _problems(detail: ErrorDetails, model: type[BaseModel]) -> list[ConfigProblem]:
    found = _problem(detail, model)
    if detail["type"] != "tallyd_each":
        return [found]
    return [
        ConfigProblem(place_of(each["at"], below=found.place), each["text"]) for each in detail["ctx"]["each"]
    ]


def _problem(detail: ErrorDetails, model: type[BaseModel]) -> ConfigProblem:
    walk = Walk(model)
    segments = [segment for segment in detail["loc"] if walk.enter(segment)]
    is_key = segments[-1:] == ["[key]"]
    place = place_of(segments[:-1] if is_key else segments)
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        place = place_of(("kind",), below=place)
    key = str(segments[-1]) if segments else ""
    hint = key_meant(key, walk.known) if detail["type"] == "extra_forbidden" else ""
    return ConfigProblem(place, _text(detail, key) + hint)


def option_fault(cause: BaseException | None) -> str | None:
    """Return what is wrong with an option of a command that pydantic checked for typer; None: other error."""
    if not isinstance(cause, ValidationError):
        return None
    detail = cause.errors(include_url=False, include_input=False)[0]
    if detail["type"] == "value_error":  # typer's own check of a choice; it lists the choices
        return str(detail["ctx"]["error"])
    return _text(detail, "")


def place_of(segments: Iterable[str | int], *, below: str = "") -> str:
    """Return `pollers.divera.at[2]`, below a place; a name with a dot or a space in it is quoted."""
    place = below
    for segment in segments:
        if isinstance(segment, int):
            place += f"[{segment}]"
        else:
            shown = segment if _PLAIN_SEGMENT.fullmatch(segment) else f'"{shortened(segment, 80)}"'
            place += f".{shown}" if place else shown
    return place


def _text(detail: ErrorDetails, key: str) -> str:
    template = TEXTS.get(detail["type"])
    if template is None:
        # A check of a library; one of ours should have come first.
        return f"is not valid ({detail['type']}); see docs/config.md"
    said: dict[str, Any] = detail.get("ctx", {})
    noun = next((noun for ending, noun in _UNITS.items() if key.endswith(ending)), None)
    is_one = 1 in (said.get("ge"), said.get("le"))
    unit = f" {noun}" if noun and is_one else f" {noun}s" if noun else ""
    # pydantic lists values in single quotes; the file has them in double quotes.
    listed: dict[str, Any] = {
        name: said[name].replace("'", '"') for name in ("expected", "expected_tags") if name in said
    }
    return template.format(**(said | listed), unit=unit)


def key_meant(word: str, known: tuple[str, ...]) -> str:
    """Return `; did you mean "url"?` for a key with a similar spelling or the same meaning; else empty."""
    plain = word.casefold().replace("-", "_")
    same = next((key for key in known if any({plain, key} <= words for words in SAME_MEANING)), None)
    alike = did_you_mean(plain, known, cutoff=0.85 if same else 0.6)
    return alike or (f'; did you mean "{same}"?' if same else "")


class Walk:
    """Follows a pydantic location down the models, to know which keys would have been right.

    `enter(segment)` is false for a segment that is not in the file: the tag of a union. `known` are the
    keys of the model in which it looked up the last segment.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self._at: Any = model
        self.known: tuple[str, ...] = ()

    def enter(self, segment: str | int) -> bool:
        options = _options(self._at)
        if isinstance(segment, str) and len(options) > 1:
            tagged = [option for option in options if segment in _tags(option)]
            if tagged:
                self._at = tagged[0]
                return False
        for option in options:
            if isinstance(option, type) and issubclass(option, BaseModel):
                fields = {field.alias or name: field for name, field in option.model_fields.items()}
                self.known = tuple(fields)
                self._at = fields[str(segment)].annotation if segment in fields else None
                return True
            if get_origin(option) is dict:
                self.known = ()
                self._at = get_args(option)[1]
                return True
            if get_origin(option) in (tuple, list):
                self.known = ()
                self._at = get_args(option)[0]
                return True
        return True


def _options(annotation: Any) -> tuple[Any, ...]:
    """Return the alternatives of a type, without None and without what `Annotated` adds."""
    if hasattr(annotation, "__metadata__"):
        return _options(annotation.__origin__)
    if get_origin(annotation) in (Union, type(int | str)):
        return tuple(
            option for part in get_args(annotation) if part is not type(None) for option in _options(part)
        )
    return (annotation,)


def _tags(option: Any) -> tuple[Any, ...]:
    if isinstance(option, type) and issubclass(option, BaseModel) and "kind" in option.model_fields:
        annotation = option.model_fields["kind"].annotation
        return get_args(annotation) if get_origin(annotation) is Literal else ()
    return ()
