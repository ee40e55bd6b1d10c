"""Whatever fails, no error and no log line contains a password, a URL or a person's number."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator

import pytest

from adapters.records.samples import DAY, IN, NOW, visitor_file
from adapters.records.servers import ESCAPED, PASSWORD
from adapters.records.sites import Site
from support.rows import Passage
from tallyd.adapters.records.database import Database
from tallyd.core.errors import RecordsError

PERSON = 815_815_815_815
SOURCE = "secret-Zq7-source"


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


def expect_no_secret(text: str, url: str) -> None:
    for secret in (PASSWORD, ESCAPED, str(PERSON), SOURCE, url):
        assert secret not in text


def test_a_value_that_a_database_does_not_take_is_not_shown(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    records = site.records()
    row: Passage = (PERSON, "in", IN[2], None)
    rows: list[Passage] = [row, (PERSON * 2**40, "in", IN[2], 1)]

    file = visitor_file("a", row, source=SOURCE, read=lambda: [rows])
    # On SQLite, a number that is too large is Python's own error.
    with pytest.raises((RecordsError, OverflowError)) as caught:
        records.ingest([file], now=NOW, keep_rows=True)

    expect_no_secret(shown(caught.value), site.url)
    expect_no_secret(caplog.text, site.url)
    assert records.counts(*DAY) == {}


def test_a_unique_violation_shows_no_value(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Servers put the values into their text."""
    caplog.set_level(logging.DEBUG)
    access = site.database.access
    mark = "%s" if site.server else "?"
    statement = (
        "INSERT INTO passage_minute (poller, minute, source, n_in, n_out, n_other, first_at, last_at)"
        f" VALUES ('x', '2026-11-20 08:15:00', {mark}, 0, 0, 0, '2026-11-20 08:15:00', '2026-11-20 08:15:00')"
    )

    def twice() -> None:
        with access.writing() as connection:
            for _ in range(2):
                connection.exec_driver_sql(statement, (SOURCE,))

    with pytest.raises(RecordsError) as caught:
        twice()

    expect_no_secret(shown(caught.value), site.url)
    expect_no_secret(caplog.text, site.url)


def test_ordinary_work_logs_nothing(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    database = Database(site.url)
    records = database.records(site.new_poller())

    database.prepare()
    records.ingest([visitor_file("a", (PERSON, "in", IN[2], 1), source=SOURCE)], now=NOW, keep_rows=True)
    records.counts(*DAY)
    records.ledger(rejected=False, most=1)
    records.prune(DAY[1], most=9)
    database.close()

    assert caplog.text == ""


def test_a_lost_connection_logs_nothing(served: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    records = served.records()

    def ended() -> Iterator[list[Passage]]:
        assert served.server
        served.server.end_sessions()
        yield [(PERSON, "in", IN[2], None)]

    with pytest.raises(RecordsError) as caught:
        records.ingest([visitor_file("a", IN, source=SOURCE, read=ended)], now=NOW, keep_rows=True)

    expect_no_secret(shown(caught.value), served.url)
    assert caplog.text == ""
