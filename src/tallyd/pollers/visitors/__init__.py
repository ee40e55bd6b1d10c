"""Takes files of people who walk in and out, and reports their number.

Start with `poller.py`; `settings.py` is the config. `ingest/` takes files into the database (`sweep.py` is
the main flow, `file_parser.py` and `record_parser.py` read a file), `alerts/` finds what is wrong, such as a
silent source, and `report/` makes each day's report and posts it.
"""
