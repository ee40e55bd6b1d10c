"""A separate process that stores files: `python -m adapters.records.ingester`, a job on stdin.

It opens the database, prints `ready`, waits for a second line, stores the files a few at a time, and prints
the outcomes. Its first line is `{"url": ..., "poller": ..., "files": ..., "at_once": ...}`.
"""

from __future__ import annotations

import json
import sys

from adapters.records.samples import NOW, many, visitor_file
from tallyd.adapters.records.database import Database


def main() -> None:
    job = json.loads(sys.stdin.readline())
    database = Database(job["url"])
    records = database.records(job["poller"])
    records.known([])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    outcomes: list[str] = []
    names = job["files"]
    for begin in range(0, len(names), job["at_once"]):
        some = [visitor_file(name, *many(200)) for name in names[begin : begin + job["at_once"]]]
        outcomes += records.ingest(some, now=NOW, keep_rows=True)
    sys.stdout.write(json.dumps(outcomes) + "\n")
    database.close()


if __name__ == "__main__":
    main()
