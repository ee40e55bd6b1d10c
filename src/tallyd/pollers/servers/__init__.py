"""Asks servers, files and databases at intervals how old their data is.

Start with `poller.py`; `check_round.py` is the main flow. `settings.py`, `target_settings.py` and
`request_settings.py` are the config, `target.py` is what they make of it. `worker_pool.py` checks many
targets at a time, `check.py` is one check of a source (`sources/`). `computed_time.py` reads the time that it
says; `freshness.py` has the rule from that time to a state. `target_memory.py` keeps what is known from round
to round. `alert_kinds.py` and `out_facts.py` have the output for people and files.

`board.py` has what people see, with the past from `lag_history.py`.
"""
