"""The pages in other languages name commands, keys and files as the program and the English pages do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from setup.test_documentation import COMMANDS, PAGES, STEPS, text_of
from tallyd.cli.config.schema import json_schema

TRANSLATED = [page for page in PAGES if page.count("/") > 1]
ENGLISH = [page for page in PAGES if page not in TRANSLATED]
_CODE = re.compile(r"`([^`\n]+)`")
_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"[a-z]+(?:_[a-z]+)*(?:\.[a-z_]+)*")
"""What may be a key of the config: `out.keep_days`."""
NO_KEYS = {
    "docs/de/anleitung.md": {"de", "divera", "install", "rollback", "status", "timedatectl", "sudo"},
    "docs/de/datenschutz.md": {"null", "users", "monitor", "passage", "tallyd"},
    "docs/zh-TW/visitorsflow.md": {
        *("visitors", "true", "false", "records", "peopleflow", "state", "ip", "time", "in", "out", "other"),
        *("passage_readable", "direction", "frame", "person_id", "seen_at", "source", "api_id", "api_hash"),
    },
}
"""Words in code that look like a key: values, commands, columns."""


def keys_of(schema: dict[str, Any]) -> set[str]:
    """Return every key of the config, also with the one above it: `keep_days`, `out.keep_days`."""
    models: dict[str, Any] = {"": schema, **schema["$defs"]}
    found: set[str] = set()
    for model in models.values():
        for key, content in model.get("properties", {}).items():
            found.add(key)
            below = re.findall(r"'#/\$defs/(\w+)'", str(content))
            found |= {f"{key}.{each}" for name in below for each in models[name].get("properties", {})}
    return found


def code_of(page: str) -> Iterator[str]:
    """Yield what stands in code within sentences and tables."""
    yield from _CODE.findall(_BLOCK.sub("", text_of(page)))


@pytest.mark.parametrize("page", TRANSLATED)
def test_each_command_and_option_stands_in_the_english_pages(page: str) -> None:
    english = "\n".join(map(text_of, ENGLISH))
    of_english = {words[0] for other, words in COMMANDS + STEPS if other in ENGLISH}
    of_english |= set(re.findall(r"--[a-z-]+", english))
    used = [words for other, words in COMMANDS + STEPS if other == page]
    assert used
    for words in used:
        assert {words[0], *(word for word in words if word.startswith("--"))} <= of_english, words


@pytest.mark.parametrize("page", TRANSLATED)
def test_each_key_is_one_of_the_config(page: str) -> None:
    named = {code for code in code_of(page) if _KEY.fullmatch(code)} - NO_KEYS[page]
    assert named
    assert named <= keys_of(json_schema())


@pytest.mark.parametrize("page", TRANSLATED)
def test_each_file_is_one_that_the_english_pages_name(page: str) -> None:
    english = "\n".join(map(text_of, ENGLISH))
    files = {code for code in code_of(page) if re.fullmatch(r"[/.]?[a-z.]+/[\w./-]*", code)}
    assert {file for file in files if file not in english} == set()


def test_the_page_on_privacy_leaves_out_no_key_of_the_english_one() -> None:
    keys = keys_of(json_schema())
    of_english, of_german = (
        {code for code in code_of(page) if code in keys}
        for page in ("docs/privacy.md", "docs/de/datenschutz.md")
    )
    assert of_english <= of_german
