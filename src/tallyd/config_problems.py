"""What pydantic finds wrong, said so that a person can mend it: the place, the fault, the likely fix."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tallyd.core.errors import ConfigProblem
from tallyd.core.texts import shortened
from tallyd.settings import did_you_mean

_TEXTS = {
    "missing": "is missing",
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list: [ ... ]",
    "tuple_type": "must be a list: [ ... ]",
    "dict_type": "must be an object: { ... }",
    "model_type": "must be an object: { ... }",
    "model_attributes_type": "must be an object: { ... }",
    "string_too_short": "must not be empty",
}
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
    is_key = bool(segments) and segments[-1] == "[key]"
    place = place_of(segments[:-1] if is_key else segments)
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        place = place_of(("kind",), below=place)
    if is_key and detail["type"] == "string_pattern_mismatch":
        text = 'a name must be made of a-z, 0-9, "_" and "-", and begin with a letter or digit'
    elif detail["type"] == "extra_forbidden":
        text = "unknown key" + did_you_mean(str(segments[-1]), walk.known)
    else:
        text = _text(detail)
    return ConfigProblem(place, text)


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


def _text(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind in _TEXTS:
        return _TEXTS[kind]
    if kind in ("literal_error", "union_tag_invalid"):
        context: dict[str, Any] = detail.get("ctx", {})
        expected = str(context.get("expected") or context.get("expected_tags"))
        return "must be one of: " + expected.replace("'", '"')
    if kind == "union_tag_not_found":
        return "is missing; it says what kind of poller this is"
    if kind in ("tallyd", "tallyd_each"):
        return detail["msg"]
    # pydantic's own words for the rest: "Input should be greater than or equal to 1".
    return detail["msg"].replace("Input should", "must")


class Walk:
    """Follows a pydantic location down the models, to know which keys would have been right.

    `enter(segment)` is false for a segment that is not in the file: the tag of a union. `known` are the
    keys of the model in which the last segment was looked up.
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
                self._at = _annotation(fields[str(segment)]) if segment in fields else None
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


def _annotation(field: FieldInfo) -> Any:
    return field.annotation


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
