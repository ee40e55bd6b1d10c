"""Counts the people of a Divera 24/7 unit by status, at fixed times of day.

`poller.py` is the whole of it at a glance, `settings.py` what a config may say, `fetch.py` the requests,
`reply.py` what their answers mean, `people.py` the one place that looks at personal data, for the proof that
nothing else keeps any.
"""

from tallyd.pollers.divera.poller import DiveraPoller

__all__ = ["DiveraPoller"]
