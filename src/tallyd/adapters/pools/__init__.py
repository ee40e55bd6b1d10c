"""Processes that do work for this one: some of this machine (`processes.py`), or a Dask cluster (`dask.py`).

`pool.py` says what both have in common. `child.py` is what runs in a process on this machine.
"""
