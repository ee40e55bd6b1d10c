"""The database of records: what was seen, minute by minute, and which files it came from.

SQLite, PostgreSQL, or MariaDB and MySQL, by SQLAlchemy. A file's rows, its minute counts and its ledger row
are one transaction, so that a file is counted once however often it is handed in. Decides nothing: what a
file holds was found by its parser, and when something is old is the caller's to say.

The door is `database.Database`.
"""
