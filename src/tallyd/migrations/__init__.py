"""The tables of the database of records, revision by revision, by alembic.

`tallyd.adapters.records.migrate` runs them. A revision that was released is never changed; the next one has a
file of its own in `versions/` and is named in `tallyd.adapters.records.tables`.
"""
