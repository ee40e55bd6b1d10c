"""Asks servers, files and databases at intervals how old their data is.

Start with `poller.py`; `rounds/check_round.py` is the main flow: it checks many targets at a time, and
remembers what is known from round to round. `settings.py` is the config, `targets/` that of one target.
`sources/` are the ways to ask for a time. `computed_time.py` reads that time, and `freshness.py` has the rule
from it to a state. `alert_kinds.py` has the problems, `boards/` what people see.
"""
