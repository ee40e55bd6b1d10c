"""The tables of the state, in the SQL that SQLite and PostgreSQL share.

Instants are text that sorts as they do (`instant_text`), and yes or no is 1 or 0. Long columns come
last: SQLite reads a row from its beginning, over all pages of a long text.
"""

from __future__ import annotations

import re
from typing import Final

SCHEMA_VERSION: Final = 1
TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE mark (
  poller TEXT NOT NULL, job TEXT NOT NULL, mark TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (poller, job, mark)
);
CREATE TABLE slot (
  poller TEXT NOT NULL, job TEXT NOT NULL, slot TEXT NOT NULL, due_at TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('claimed', 'failed')), starts INTEGER NOT NULL,
  reason TEXT, not_before TEXT,
  PRIMARY KEY (poller, job, slot)
);
CREATE TABLE reading (
  id INTEGER PRIMARY KEY, poller TEXT NOT NULL, kind TEXT NOT NULL, job TEXT NOT NULL, slot TEXT,
  outcome TEXT NOT NULL CHECK (outcome IN ('taken', 'missed')), reason TEXT,
  due_at TEXT, taken_at TEXT NOT NULL, chars INTEGER NOT NULL DEFAULT 0, out_name TEXT,
  written INTEGER NOT NULL, part TEXT, body TEXT, latest TEXT,
  UNIQUE (poller, job, slot), UNIQUE (poller, out_name)
);
CREATE INDEX reading_unwritten ON reading (id) WHERE written=0;
CREATE INDEX reading_by_slot ON reading (poller, outcome, due_at);
CREATE INDEX reading_of_poller ON reading (poller, coalesce(due_at, taken_at));
CREATE INDEX reading_of_all ON reading (coalesce(due_at, taken_at));
CREATE TABLE memory (poller TEXT NOT NULL, job TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (poller, job));
CREATE TABLE alert (
  key TEXT PRIMARY KEY, body TEXT NOT NULL, severity TEXT NOT NULL, since TEXT NOT NULL, raised_at TEXT,
  over_at TEXT
);
CREATE TABLE incident (
  key TEXT NOT NULL, raised_at TEXT NOT NULL, poller TEXT NOT NULL, since TEXT NOT NULL, ended_at TEXT,
  is_unwatched INTEGER NOT NULL, severity TEXT NOT NULL, severities TEXT NOT NULL, text TEXT NOT NULL,
  "over" TEXT NOT NULL, fields TEXT NOT NULL, muted_by TEXT, acknowledged TEXT,
  PRIMARY KEY (key, raised_at)
);
CREATE INDEX incident_by_end ON incident (coalesce(ended_at, '9'));
CREATE INDEX incident_by_begin ON incident (since, key, coalesce(ended_at, '9'));
CREATE TABLE incident_notice (
  key TEXT NOT NULL, raised_at TEXT NOT NULL, channel TEXT NOT NULL, news TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (key, raised_at, channel, news)
);
CREATE TABLE uptime (started_at TEXT PRIMARY KEY, seen_at TEXT NOT NULL);
CREATE TABLE notified (
  channel TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, at TEXT NOT NULL,
  is_open INTEGER NOT NULL,
  PRIMARY KEY (key, channel)
);
CREATE TABLE mute (
  pattern TEXT PRIMARY KEY, since TEXT NOT NULL, until TEXT NOT NULL, why TEXT NOT NULL,
  "by" TEXT NOT NULL, ended_by TEXT, version INTEGER NOT NULL
);
CREATE TABLE outbox (
  poller TEXT NOT NULL, ssid TEXT NOT NULL, day TEXT NOT NULL, body TEXT NOT NULL, version INTEGER NOT NULL,
  slot_at TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'parked')),
  tries INTEGER NOT NULL DEFAULT 0, turn INTEGER NOT NULL DEFAULT 0, failing_since TEXT, last_tried_at TEXT,
  said TEXT CHECK (said IN ('accepted', 'refused', 'never', 'nothing')), answer TEXT, sent_at TEXT,
  PRIMARY KEY (poller, ssid, day)
)
"""
WITHOUT_USERS: Final = (
    """UPDATE mute SET "by"='', ended_by=substr(ended_by, 1, 0)""",
    "UPDATE incident SET muted_by=substr(muted_by, 1, 0), acknowledged=json_set(acknowledged, '$.by', '')",
    "UPDATE alert SET body=json_set(body, '$.acknowledged.by', '') WHERE body->'$.acknowledged' IS NOT NULL",
)
"""The statements (SQLite) after which nobody knows who muted or acknowledged; null stays null."""
NAMES: Final = tuple(re.findall(r"CREATE TABLE (\w+)", TABLES))


def statements(text: str = TABLES) -> list[str]:
    """Return the single statements."""
    return [each.strip() for each in text.split(";")]
