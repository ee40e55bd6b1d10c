"""Where the time of a target's data comes from.

`source.py` says what a source is. `http.py` asks a server; `extraction.py` finds the time in its reply.
`file.py` looks for the newest file, `sql.py` asks a database.
"""
