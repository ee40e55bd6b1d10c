"""Ingests files about people who walk in and out, and reports their number.

Start with `poller.py`; `settings.py` is the config. `ingest/` stores files in the database (`sweep.py` is the
main flow, `file_parser.py` and `record_parser.py` read a file), `alerts/` finds problems, such as a silent
source, `report/` makes the report of each day and posts it, and `boards/` has what people see. `inside.py`
has the rule of who is inside.
"""
