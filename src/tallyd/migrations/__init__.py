"""The tables of the database of records, revision by revision, by alembic.

`tallyd.adapters.records.migration_main` runs them. A released revision never changes; the next one gets a
file of its own in `versions/`, and `tallyd.adapters.records.tables` names it.
"""
