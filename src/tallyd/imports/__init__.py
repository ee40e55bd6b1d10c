"""What older programs leave behind: their config as one of tallyd's, their data as records of tallyd.

`programs.py` lists them, `values.py` has what they share, `old_tables.py` reads their tables. Nothing here
changes or runs anything of an older program.
"""
