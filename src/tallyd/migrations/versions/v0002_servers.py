"""The tables of servers.

The keys begin with the time, not with the server: what is asked for, pruned or added to is a span of time of
all servers of a poller. A server's check is once a second at most, so that its row needs no number.
"""

from __future__ import annotations

from alembic import op

from tallyd.migrations.sqlite import STATEMENTS

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_POSTGRESQL = (
    """
CREATE TABLE server_lag (
  poller text COLLATE "C" NOT NULL, checked_at timestamp(0) NOT NULL, server text COLLATE "C" NOT NULL,
  computed_time timestamp(3), lag_s double precision, state text COLLATE "C" NOT NULL,
  advanced_s double precision,
  PRIMARY KEY (poller, checked_at, server)
)""",
    """
CREATE TABLE server_hour (
  poller text COLLATE "C" NOT NULL, hour timestamp(0) NOT NULL, server text COLLATE "C" NOT NULL,
  checks bigint NOT NULL, fresh bigint NOT NULL, late bigint NOT NULL, lag_s_max double precision,
  PRIMARY KEY (poller, hour, server)
)""",
)

# IF NOT EXISTS: each of these statements is a transaction of its own here, and what was interrupted must be
# able to begin again.
_MYSQL = (
    """
CREATE TABLE IF NOT EXISTS server_lag (
  poller VARCHAR(200) NOT NULL, checked_at DATETIME NOT NULL, server VARCHAR(200) NOT NULL,
  computed_time DATETIME(3), lag_s DOUBLE, state VARCHAR(11) NOT NULL, advanced_s DOUBLE,
  PRIMARY KEY (poller, checked_at, server)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC {collation}""",
    """
CREATE TABLE IF NOT EXISTS server_hour (
  poller VARCHAR(200) NOT NULL, hour DATETIME NOT NULL, server VARCHAR(200) NOT NULL,
  checks BIGINT NOT NULL, fresh BIGINT NOT NULL, late BIGINT NOT NULL, lag_s_max DOUBLE,
  PRIMARY KEY (poller, hour, server)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC {collation}""",
)

_MARIADB_COLLATION = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"  # utf8mb4_bin ignores trailing spaces
_MYSQL_COLLATION = "CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin"  # the same, by the name that MySQL 8 has


def upgrade() -> None:
    """Create the tables."""
    dialect = op.get_bind().dialect
    statements: tuple[str, ...]
    if dialect.name == "sqlite":
        statements = STATEMENTS[revision]
    elif dialect.name == "postgresql":
        statements = _POSTGRESQL
    else:
        collation = _MARIADB_COLLATION if getattr(dialect, "is_mariadb", False) else _MYSQL_COLLATION
        statements = tuple(statement.format(collation=collation) for statement in _MYSQL)
    for statement in statements:
        op.execute(statement)
