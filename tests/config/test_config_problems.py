"""Every mistake in a config is said in tallyd's own words, whichever check of which library found it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic_core.core_schema import ErrorType

from support.long import some
from tallyd.config.load import load
from tallyd.config.problems import SAME_MEANING, TEXTS, key_meant
from tallyd.config.settings import Settings
from tallyd.core.errors import ConfigError

EXAMPLE = json.loads((Path(__file__).parents[2] / "config.example.json").read_text("utf-8"))
WRONG = [None, True, 0, -1, 10**30, 1.5, "", "x", "X" * 5000, "1s", [], [1], {}, {"no such": 1}]
LIBRARY = re.compile(r"Input|should|valid |greater than|less than|is not as it must be|\{\w+")

# Of each kind of node in pydantic's schema: the errors that it can raise in strict mode from JSON, and those
# of its limits. What a validator of ours stands before (durations, times, days, calendars) never gets there.
ERRORS: dict[str, set[str]] = {
    "bool": {"bool_type"},
    "dataclass": set(),
    "dataclass-args": set(),
    "dataclass-field": set(),
    "date": set(),
    "dict": {"dict_type"},
    "float": set(),
    "frozenset": set(),
    "int": {"int_type", "int_from_float", "int_parsing_size"},
    "literal": {"literal_error"},
    "model": {"model_type"},
    "model-field": {"missing"},
    "model-fields": {"extra_forbidden", "model_attributes_type"},
    "str": {"string_type"},
    "tagged-union": {"union_tag_invalid", "union_tag_not_found"},
    "time": set(),
    "tuple": {"tuple_type"},
}
LIMITS = {
    "ge": "greater_than_equal",
    "le": "less_than_equal",
    "min_length": "string_too_short",
    "max_length": "string_too_long",
    "pattern": "string_pattern_mismatch",
}
NO_LIMITS = {"gt", "lt", "multiple_of", "allow_inf_nan"}
WITHOUT_ERRORS = {
    "any",
    "default",
    "nullable",
    "union",
    "no-info",
    "with-info",
    "definitions",
    "definition-ref",
}


def nodes(schema: object) -> Iterator[dict[str, Any]]:
    """Yield every node of a core schema that has a type."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema
        for key, value in schema.items():
            if key not in ("metadata", "serialization", "default"):
                yield from nodes(value)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from nodes(value)


def test_every_error_that_the_models_can_raise_has_a_sentence() -> None:
    found: set[str] = set()
    for node in nodes(Settings.__pydantic_core_schema__):
        kind = node["type"]
        assert kind in ERRORS or kind in WITHOUT_ERRORS or kind.startswith("function-"), kind
        assert not NO_LIMITS & node.keys(), f"{kind} has a limit that nothing is said of"
        found |= ERRORS.get(kind, set()) | {LIMITS[limit] for limit in LIMITS.keys() & node.keys()}
        assert node.get("min_length", 1) == 1, "string_too_short says: must not be empty"
        assert kind != "float" or not LIMITS.keys() & node.keys(), "a limit of a duration needs its unit"
    assert found <= TEXTS.keys()
    assert TEXTS.keys() - {"tallyd", "tallyd_each"} <= {*get_args(ErrorType)}


def places(value: object, *above: str | int) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of every value below one."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        if not str(key).startswith("//"):
            yield (*above, key)
            yield from places(each, *above, key)


def rounds() -> list[tuple[tuple[str | int, ...], ...]]:
    """Return all places of the example, in rounds of one place in each section.

    So the rest of its section is fine, and its checks of several values together run too. What holds or
    chooses a section stands alone.
    """
    sections: dict[tuple[str | int, ...], list[tuple[str | int, ...]]] = {}
    alone = []
    for place in places(EXAMPLE):
        section = place[:4] if place[2:3] == ("targets",) else place[: 2 if place[0] == "pollers" else 1]
        if place[-1] in ("pollers", "targets", "kind") or place == section:
            alone.append((place,))
        else:
            sections.setdefault(section, []).append(place)
    together = zip_longest(*sections.values())
    return [*alone, *(tuple(place for place in each if place) for each in together)]


def with_changed(changes: Sequence[tuple[str | int, ...]], value: object) -> Any:
    changed = json.loads(json.dumps(EXAMPLE))
    for place in changes:
        inside = changed
        for key in place[:-1]:
            inside = inside[key]
        inside[place[-1]] = value
    return changed


@pytest.mark.parametrize(("number", "value"), list(enumerate(WRONG)), ids=lambda value: repr(value)[:20])
def test_no_wrong_value_at_any_place_is_answered_in_a_librarys_words(
    number: int, value: object, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    for changes in some(rounds(), number):
        path.write_text(json.dumps(with_changed(changes, value)))
        try:
            load(path, environ={})
        except ConfigError as error:
            for problem in error.problems:
                assert not LIBRARY.search(problem.text), problem


DIVERA = ("kind", "url", "accesskey", "at", "days", "catch_up", "status_names", "at_least", "timezone", "out")
SERVER = ("url", "field", "format", "timezone", "late_after", "stale_after", "remind_every", "timeout")
TOP = ("name", "timezone", "data_dir", "out", "log", "web", "channels", "alerts", "pollers", "targets")


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        pytest.param("adress", DIVERA, "url", id="another-word"),
        pytest.param("Endpoint", SERVER, "url", id="in-capitals"),
        pytest.param("api-key", DIVERA, "accesskey", id="with-a-dash"),
        pytest.param("acceskey", DIVERA, "accesskey", id="misspelt"),
        pytest.param("times", DIVERA, "at", id="times"),
        pytest.param("tz", SERVER, "timezone", id="short"),
        pytest.param("threshold", SERVER, "stale_after", id="threshold"),
        pytest.param("servers", TOP, "targets", id="servers"),
        pytest.param("notify", TOP, "channels", id="notify"),
        pytest.param(
            "host", ("listen", "password", "hosts"), "hosts", id="spelling-that-is-nearly-right-wins"
        ),
        pytest.param("port", ("listen", "password", "hosts"), "listen", id="port"),
        pytest.param("blubb", DIVERA, None, id="like-no-other"),
        pytest.param("url", ("dir", "level"), None, id="a-meaning-that-is-not-there"),
    ],
)
def test_an_unknown_key_that_means_the_same_is_recognised(
    word: str, known: tuple[str, ...], meant: str | None
) -> None:
    assert key_meant(word, known) == (f'; did you mean "{meant}"?' if meant else "")


def test_each_word_of_the_table_names_a_key_that_there_is() -> None:
    schema = json.dumps(Settings.model_json_schema())
    for words in SAME_MEANING:
        assert any(f'"{word}": {{' in schema for word in words), words
