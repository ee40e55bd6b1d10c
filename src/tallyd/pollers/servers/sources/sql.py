"""A database: its data is as old as the one value that a query returns."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from tallyd.contract.reads import QueryResult
from tallyd.contract.workers import WorkTools
from tallyd.core.json_reply import Unreadable
from tallyd.core.language.messages import english, mark
from tallyd.pollers.servers.sources.source import Answer, took
from tallyd.settings.secrets import Secret
from tallyd.settings.urls import other_host


@dataclass(frozen=True, slots=True)
class SqlSource:
    """A database and a query that returns one value; implements `Source`."""

    url: Secret
    query: str

    @property
    def address(self) -> str:
        """The kind of database and its host, or its file: the rest of the URL may be a secret."""
        url = self.url.reveal()
        if url.startswith("sqlite"):
            return url
        parts = urlsplit(url)
        host = parts.hostname or "localhost"
        return f"{parts.scheme.partition('+')[0]}://{f'[{host}]' if ':' in host else host}"

    @property
    def host(self) -> str:
        """The host in the URL; empty if it is this machine, or a file."""
        return other_host(self.url.reveal())

    @property
    def secrets(self) -> Iterable[Secret]:
        """Its URL."""
        return (self.url,)

    @property
    def named(self) -> str:
        """What holds the time."""
        return mark("the value")

    def begin(self, tools: WorkTools, timeout_s: float) -> Future[QueryResult]:
        """Send the query. Raises `Stopped`, and `SecretMissing`."""
        url = self.url.reveal(tools.read_secret)
        return tools.needed_reads.query(url, self.query, timeout_s=timeout_s)

    def answer(self, reply: QueryResult) -> Answer:
        """Return which database answered, and when."""
        return Answer(at=reply.read_at, place=reply.place, said=took(reply.elapsed_s))

    def value(self, reply: QueryResult) -> object:
        """Return the one value. Raises `Unreadable`."""
        if reply.failure:
            raise Unreadable(english("without a result: {why}", why=reply.failure))
        if len(reply.rows) != 1:
            raise Unreadable(mark("with more than one row") if reply.rows else mark("without a row"))
        (row,) = reply.rows
        if len(row) != 1:
            raise Unreadable(english("with {columns} columns; one is needed", columns=len(row)))
        value = row[0]
        return float(value) if isinstance(value, Decimal) else value
