"""What VisitorsFlow leaves: its table, as its loader filled it, in a MariaDB, a dump, or a CSV file."""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import pymysql  # type: ignore[import-untyped] # it brings no types

from adapters.records.servers import PASSWORD, Server

OldRow: TypeAlias = "tuple[object, ...]"
"""peopleID, state, time, frameNumber, outputTime, ip."""
COLUMNS = ("peopleID", "state", "time", "frameNumber", "outputTime", "ip")
CREATE = (
    "CREATE TABLE `{0}` (`no` int NOT NULL AUTO_INCREMENT PRIMARY KEY, `peopleID` int, `state` int,"
    " `time` {1}, `frameNumber` int, `outputTime` {1}, `ip` varchar(45)) DEFAULT CHARSET=utf8mb4"
)


def flow(day: str, hosts: Sequence[str], *, minutes: int = 600) -> Iterator[OldRow]:
    """Yield a day of people: from eight o'clock on, some each minute at each host, in, out or neither."""
    for minute in range(minutes):
        hour, rest = divmod(minute, 60)
        for place, host in enumerate(hosts):
            for person in range((minute + place) % 3):
                at = f"{day} {8 + hour:02}:{rest:02}:{(minute * 7 + person) % 60:02}"
                yield minute * 10 + person, (minute + person) % 5 % 3, at, minute, at, host


def store(
    server: Server, rows: Sequence[OldRow], *, table: str = "peopleflow", kind: str = "datetime"
) -> str:
    """Store rows in a new database, one INSERT after the other as the loader did; return the database."""
    database = server.new_database()
    server.execute(CREATE.format(table, kind), database)
    with pymysql.connect(
        host="127.0.0.1",
        port=server.port,
        user="tally",
        password=PASSWORD,
        database=database,
        charset="utf8mb4",
    ) as connection:
        names, marks = ", ".join(f"`{name}`" for name in COLUMNS), ", ".join(["%s"] * len(COLUMNS))
        connection.cursor().executemany(f"INSERT INTO `{table}` ({names}) VALUES ({marks})", rows)
        connection.commit()
    return database


def dump(server: Server, database: str, file: Path, *options: str) -> Path:
    """Dump a database with the real mysqldump."""
    login = ["--host=127.0.0.1", f"--port={server.port}", "--user=tally"]
    with file.open("wb") as output:
        subprocess.run(
            ["mysqldump", "--no-defaults", *login, *options, database],
            env={**os.environ, "MYSQL_PWD": PASSWORD},
            stdout=output,
            check=True,
        )
    return file


def write_csv(file: Path, rows: Sequence[OldRow], *, delimiter: str = ",") -> Path:
    """Export rows with a heading, as most tools do."""
    with file.open("w", newline="") as output:
        writer = csv.writer(output, delimiter=delimiter)
        writer.writerows([COLUMNS, *rows])
    return file
