"""Asks servers, every so often, how old their data is.

Start with `poller.py`; `check_round.py` is the main flow. `settings.py` and `target_settings.py` are the
config, `worker_pool.py` checks many targets at a time, `check.py` is one check. `computed_time.py` reads the
time in its reply, and `freshness.py` is the rule from that time to a state. `target_memory.py` is what is
known from round to round; `alert_kinds.py` and `out_facts.py` are what people and files get of it. `board.py`
is what people are shown, of the past by `lag_history.py`.
"""
