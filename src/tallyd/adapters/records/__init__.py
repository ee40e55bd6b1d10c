"""The database of records: passages, minute counts, the ledger of files, and the lags of servers.

It works with SQLite, PostgreSQL, MariaDB and MySQL through SQLAlchemy. One transaction stores a file's rows,
its minute counts and its ledger row. So a file is counted once, however often it comes. The caller decides
what a file contains and what is old.

Start with `database.py`.
"""
