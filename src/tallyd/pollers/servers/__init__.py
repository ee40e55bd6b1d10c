"""Asks servers at intervals how old their data is.

Start with `poller.py`; `check_round.py` is the main flow. `settings.py` and `target_settings.py` are the
config, `worker_pool.py` checks many targets at a time, `check.py` is one check. `target_memory.py` keeps what
is known from round to round; `alert_kinds.py` and `out_facts.py` have the output for people. The rule is in
`core/freshness.py`.
"""
