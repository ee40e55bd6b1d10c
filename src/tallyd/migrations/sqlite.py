"""The statements for the tables on SQLite, in this order.

They are not in the revision itself, which needs alembic: a new file is created without a migration. Once
released they must not change.
"""

from __future__ import annotations

from typing import Final

STATEMENTS: Final = (
    """
CREATE TABLE ingested_file (
  id INTEGER PRIMARY KEY AUTOINCREMENT, poller TEXT NOT NULL, source TEXT NOT NULL, sha256 BLOB NOT NULL,
  name TEXT NOT NULL, size INTEGER NOT NULL, records INTEGER,
  state TEXT NOT NULL CHECK (state IN ('done', 'rejected')), reason TEXT, ingested_at INTEGER NOT NULL,
  first_at INTEGER, last_at INTEGER, first_passage INTEGER,
  UNIQUE (poller, sha256, source)
)""",
    "CREATE INDEX ingested_file_by_time ON ingested_file (poller, state, ingested_at)",
    "CREATE INDEX ingested_file_by_passages ON ingested_file (poller, first_at)",
    # The rows of a file follow each other. `id` is SQLite's own number of the row: it takes no further space.
    """
CREATE TABLE passage (
  id INTEGER PRIMARY KEY, file_id INTEGER NOT NULL, person_id INTEGER NOT NULL, direction INTEGER NOT NULL,
  seen_at INTEGER NOT NULL, frame INTEGER
)""",
    # CROSS JOIN: SQLite begins with the files, and finds the rows of each by their numbers.
    """
CREATE VIEW passage_readable AS
SELECT file.poller, file.source, file.id AS file_id, passage.person_id,
  CASE passage.direction WHEN 0 THEN 'in' WHEN 1 THEN 'out' ELSE 'other' END AS direction,
  datetime(passage.seen_at, 'unixepoch') AS seen_at, passage.frame
FROM ingested_file AS file CROSS JOIN passage
  ON passage.id >= file.first_passage AND passage.id < file.first_passage + file.records
  AND passage.file_id = file.id""",
    """
CREATE TABLE passage_minute (
  poller TEXT NOT NULL, minute TEXT NOT NULL, source TEXT NOT NULL,
  n_in INTEGER NOT NULL, n_out INTEGER NOT NULL, n_other INTEGER NOT NULL,
  first_at TEXT NOT NULL, last_at TEXT NOT NULL,
  PRIMARY KEY (poller, minute, source)
) WITHOUT ROWID""",
    """
CREATE TABLE inside_correction (
  poller TEXT NOT NULL, minute TEXT NOT NULL, source TEXT NOT NULL,
  inside INTEGER NOT NULL, why TEXT NOT NULL, noted_by TEXT NOT NULL, noted_at TEXT NOT NULL,
  PRIMARY KEY (poller, minute, source)
) WITHOUT ROWID""",
    """
CREATE TABLE server_lag (
  poller TEXT NOT NULL, checked_at TEXT NOT NULL, server TEXT NOT NULL,
  computed_time TEXT, lag_s REAL, state TEXT NOT NULL, advanced_s REAL,
  PRIMARY KEY (poller, checked_at, server)
) WITHOUT ROWID""",
    "CREATE INDEX server_lag_by_server ON server_lag (poller, server, checked_at)",
    """
CREATE TABLE server_hour (
  poller TEXT NOT NULL, hour TEXT NOT NULL, server TEXT NOT NULL,
  checks INTEGER NOT NULL, lag_s_max REAL,
  fresh_s REAL NOT NULL, late_s REAL NOT NULL, stale_s REAL NOT NULL,
  future_s REAL NOT NULL, invalid_s REAL NOT NULL, unreachable_s REAL NOT NULL,
  PRIMARY KEY (poller, hour, server)
) WITHOUT ROWID""",
    """
CREATE TABLE imported (
  poller TEXT NOT NULL PRIMARY KEY, program TEXT NOT NULL, zone TEXT NOT NULL, since TEXT NOT NULL,
  until TEXT NOT NULL
) WITHOUT ROWID""",
    """
CREATE TABLE arrival (
  poller TEXT NOT NULL, source TEXT NOT NULL, last_file_at TEXT NOT NULL, last_record_at TEXT,
  state TEXT NOT NULL, reason TEXT, host TEXT NOT NULL, seen_at TEXT NOT NULL,
  PRIMARY KEY (poller, source)
) WITHOUT ROWID""",
    """
CREATE TABLE host (
  id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, folder TEXT NOT NULL, version TEXT NOT NULL,
  started_at TEXT NOT NULL, beat_at TEXT NOT NULL, ahead_s REAL NOT NULL, config_digest TEXT NOT NULL,
  pollers TEXT NOT NULL
) WITHOUT ROWID""",
)
