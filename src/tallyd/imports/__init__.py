"""What older programs leave behind: their config as one of tallyd's, their data as records of tallyd.

A file for each program. `programs.py` lists them, `values.py` has what they share. Nothing here changes or
runs anything of an older program.
"""
