"""The alembic revisions of the tables in the database of records.

`tallyd.adapters.records.migration_main` runs them. A released revision never changes. A new one gets its own
file in `versions/`, and `tallyd.adapters.records.tables` names it.
"""
