"""Reads files and databases of others, with a deadline.

Start with `reads.py`. `files.py` looks for the newest file, `queries.py` asks a database.
"""
