"""What README.md and docs/ tell people to type exists and does what they say; what they show is a config."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from support.divera_server import divera_server
from tallyd.cli.app import app
from tallyd.cli.examples import EXAMPLES
from tallyd.config.load import load
from tallyd.config.settings import Settings
from tallyd.core.errors import ConfigError

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")),
)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TALLYD = re.compile(r"(?:sudo |\.venv/bin/)?tallyd (?=[a-z])")
_SETUP = re.compile(r"(?:sudo )?sh setup\.sh (?=[a-z])")
_LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]*))?\)")


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def typed(page: str, beginning: re.Pattern[str]) -> Iterator[list[str]]:
    """Yield what follows `beginning` in each command of a page, as words; no comments, no redirections."""
    text = text_of(page)
    lines = [line for _, block in _BLOCK.findall(text) for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))
    for written in (*lines, *inline):
        yield from words_of(written, beginning)


def words_of(written: str, beginning: re.Pattern[str]) -> Iterator[list[str]]:
    """Yield the words of a command after `beginning`, if it begins like this."""
    if (found := beginning.match(written)) and "…" not in written:
        yield shlex.split(re.split(r" [>|] ", written[found.end() :])[0], comments=True)


COMMANDS = [
    *((page, words) for page in PAGES for words in typed(page, _TALLYD)),
    *(
        ("--help", words)
        for lines in EXAMPLES.values()
        for line in lines
        for words in words_of(line, _TALLYD)
    ),
]
STEPS = [(page, words) for page in PAGES for words in typed(page, _SETUP)]


@cache
def command_line() -> object:
    """Return the commands with their options; to build them takes longer than to look one up."""
    return get_command(app)


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=lambda value: " ".join(value)[:60])
def test_a_command_that_is_named_exists_with_its_options(page: str, words: list[str]) -> None:
    group: Any = command_line()
    with group.make_context("tallyd", words, resilient_parsing=False) as context:
        name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
        if hasattr(command, "resolve_command") and rest:  # `tallyd service install`
            inner = command.make_context(name, rest, parent=context)
            name, command, rest = command.resolve_command(inner, [*inner._protected_args, *inner.args])
        is_only_named = not rest  # `tallyd mute`, in a sentence
        command.make_context(name, rest, parent=context, resilient_parsing=is_only_named)


def test_there_are_commands_to_look_at() -> None:
    assert len(COMMANDS) > 40
    assert ("README.md", ["init", "--ask"]) in COMMANDS
    assert ("README.md", ["run"]) in STEPS


@pytest.mark.parametrize(("page", "words"), STEPS, ids=lambda value: " ".join(value)[:60])
def test_a_command_of_setup_is_one_of_its_choices(page: str, words: list[str]) -> None:
    usage = subprocess.run(
        ["/bin/sh", str(ROOT / "setup.sh")], capture_output=True, text=True, check=True
    ).stdout
    (choice,) = (line for line in usage.splitlines() if line.startswith(f"  {words[0]} "))
    if words[0] != "test":  # its arguments go to pytest
        assert all(word in choice for word in words if word.startswith("-"))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for path, anchor in _LINK.findall(_BLOCK.sub("", text_of(page))):
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs


def configs(page: str) -> Iterator[dict[str, Any]]:
    """Yield each piece of a config that a page shows, as a config."""
    for language, block in _BLOCK.findall(text_of(page)):
        if language != "json" or "..." in block:
            continue
        shown: dict[str, Any] = json.loads(block if block.lstrip().startswith("{") else f"{{{block}}}")
        if "texts" in shown.get("alerts", {}):  # those of a poller's problems
            shown = {"divera": {"kind": "divera", "accesskey": "canary-key-8f3a", "at": ["08:00"], **shown}}
        if any(isinstance(value, dict) and "kind" in value for value in shown.values()):
            shown = {"pollers": shown}
        if shown.keys() <= {field.alias or name for name, field in Settings.model_fields.items()}:
            yield shown


CONFIGS = [(page, content) for page in PAGES for content in configs(page)]


@pytest.mark.parametrize(
    ("page", "content"), CONFIGS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_is_shown_of_a_config_is_one(page: str, content: dict[str, Any], tmp_path: Path) -> None:
    text = json.dumps(content)
    (tmp_path / "config.json").write_text(text)
    (tmp_path / "secrets").mkdir()
    for name in re.findall(r'"file:secrets/([^"]+)"', text):
        secret = "https://chat.example/hooks/ID/TOKEN-1234" if "url" in name else "canary-key-8f3a"
        if name == "database-url":
            secret = "mysql+pymysql://me@db.example/park"
        (tmp_path / "secrets" / name).write_text(secret)
    try:
        load(tmp_path / "config.json", environ={"SHOP_DATABASE_URL": "postgresql+psycopg://me@db.example/x"})
    except ConfigError as error:
        pytest.fail("\n".join(error.lines()))


def test_there_are_configs_to_look_at() -> None:
    assert {"README.md", "docs/divera.md", "docs/visitors.md", "docs/servers.md"} <= {
        page for page, _ in CONFIGS
    }


def test_the_steps_by_hand_lead_to_a_reading(tmp_path: Path) -> None:
    ((_, block),) = _BLOCK.findall(text_of("docs/by-hand.md"))
    _demo, init, *rest, run = block.splitlines()
    assert run.startswith(".venv/bin/tallyd run ")
    with divera_server() as server:
        unit = server.client("unit")
        unit.answers.append(1)
        # The one step between: where this unit's Divera is.
        edit = f"""sed -i 's|"kind": "divera",|"kind": "divera", "url": "{unit.url}",|' config.json"""
        script = "\n".join(["set -e", init, edit, *rest]).replace(
            ".venv/bin/tallyd", f"{sys.executable} -m tallyd"
        )
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            input="canary-key-8f3a\n",
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "secrets/divera-key").read_text() == "canary-key-8f3a"
    assert len(list((tmp_path / "out/divera").glob("*/*.json"))) == 1
