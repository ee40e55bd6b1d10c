"""Asks servers, every so often, how old their data is.

Start with `poller.py`; `check_round.py` is the main flow. `settings.py` and `target_settings.py` are the
config, `worker_pool.py` checks many targets at a time, `check.py` is one check. `target_memory.py` is what is
known from round to round; `alert_kinds.py` and `out_facts.py` are what people read. The rule is
`freshness.py`.
"""
