"""No answer needs more than 150 MB of memory or blocks the interpreter for a second, whatever it contains.

A real server sends each answer. A separate process asks for it, so that its memory can be measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from support import warm
from support.rawserver import Connection, answer, serving
from support.reply_cost import READERS
from tallyd.adapters.http.client import MOST_BYTES
from tallyd.core.json_reply import MOST_NESTED, MOST_VALUES

MOST_GROWTH_BYTES = 150_000_000
MOST_HELD_S = 1.0
ROOM = MOST_BYTES - 100
"""For what stands in an answer. Each hostile one is as large as it may be, or as dense."""
DEEP = MOST_NESTED - 5


def repeated(element: str, *, most: int = ROOM) -> str:
    """Return as many of these as there is room for, in a list."""
    count = most // (len(element.encode()) + 1)
    return f"[{','.join([element] * count)}]"


def keys(form: str, count: int) -> str:
    """Return an object with so many different keys; `form` is of one, with `{0}` for its number."""
    return "{" + ",".join(form.format(number) for number in range(count)) + "}"


def dense(element: str, values: int) -> str:
    """Return a list of these that has just as many values as may be."""
    return f"[{','.join([element] * (MOST_VALUES // (values + 1) - 5))}]"


HOSTILE: dict[str, Callable[[], str]] = {
    "empty lists": lambda: repeated("[]"),
    "lists in lists in lists": lambda: repeated("[" * DEEP + "]" * DEEP),
    "objects in objects in objects": lambda: repeated('{"":' * DEEP + "1" + "}" * DEEP),
    "numbers of one digit": lambda: repeated("9"),
    "a million keys": lambda: keys('"{0:x}":1', ROOM // 10),
    "a million status ids": lambda: repeated('{"status_id":1}'),
    "as many empty objects as may be": lambda: dense("{}", 1),
    "as many objects with one key as may be": lambda: dense('{"":{}}', 2),
    "as many nested lists as may be": lambda: dense("[" * DEEP + "]" * DEEP, DEEP),
    "as many nested objects as may be": lambda: dense('{"":' * DEEP + "1" + "}" * DEEP, DEEP),
    "as many keys as may be": lambda: keys('"{0:x}Ā":1{0}', MOST_VALUES - 50),
    "a huge text": lambda: '["' + "x" * (ROOM - 4) + '"]',
    "a huge text with one wide character": lambda: '["' + "x" * (ROOM - 8) + '\U0001d4b3"]',
    "a huge text of escapes": lambda: '["' + r"\u0101" * (ROOM // 6 - 1) + '"]',
    "a huge text of brackets": lambda: '["' + "[{" * (ROOM // 2 - 2) + '"]',
    "a huge text beside many keys": lambda: (
        '["' + "x" * (ROOM // 2) + '\U0001d4b3",' + keys('"{0:x}Ā":1{0}', MOST_VALUES // 2) + "]"
    ),
    "a huge number": lambda: "[" + "9" * (ROOM - 2) + "]",
    "a huge fraction": lambda: "[0." + "9" * (ROOM - 4) + "]",
    "numbers of 4,299 digits": lambda: repeated("9" * 4299),
    "opening brackets": lambda: "[" * ROOM,
    "closing brackets": lambda: "]" * ROOM,
    "quotes": lambda: '"' * ROOM,
    "nothing but white space": lambda: " " * ROOM,
}


def body_of(name: str) -> bytes:
    body = ('{"success":true,"data":' + HOSTILE[name]() + "}").encode()
    assert len(body) <= MOST_BYTES
    return body


@dataclass(frozen=True)
class Cost:
    reason: str | None
    grew_bytes: int
    held_s: float


def cost(body: bytes, reader: str) -> Cost:
    """Have another process ask for this, and return what it cost."""

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(answer(body))

    with serving(script) as server:
        done = warm.run("-m", "support.reply_cost", server.url, reader)
    assert done.returncode == 0, done.stderr
    return Cost(**json.loads(done.stdout))


@pytest.mark.parametrize("name", HOSTILE)
def test_no_answer_costs_much(name: str) -> None:
    found = cost(body_of(name), "users")
    assert found.grew_bytes < MOST_GROWTH_BYTES
    assert found.held_s < MOST_HELD_S


@pytest.mark.parametrize("reader", READERS)
def test_whoever_reads_an_answer_reads_it_within_the_bounds(reader: str) -> None:
    found = cost(body_of("lists in lists in lists"), reader)
    assert found.grew_bytes < MOST_GROWTH_BYTES
    assert found.held_s < MOST_HELD_S


def test_a_list_of_four_thousand_people_is_counted() -> None:
    person = {f"field_{number}": "Straße 1, 12345 Ort: [x]" for number in range(40)}
    rows = [{**person, "status_id": 50101 + number % 9} for number in range(4_000)]
    body = json.dumps({"success": True, "data": rows}, ensure_ascii=False, separators=(",", ":")).encode()
    found = cost(body, "users")
    assert found.reason is None, len(body)
    assert found.grew_bytes < MOST_GROWTH_BYTES
