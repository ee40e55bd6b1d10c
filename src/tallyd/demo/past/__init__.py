"""Four weeks before the demo began: invented, the same for every start at the same time.

`writer.py` writes them through the store of the daemon. What happened is in `month.py`; `strength.py`,
`visits.py` and `ages.py` say what was counted. Only `writer.py` touches the disk.
"""
