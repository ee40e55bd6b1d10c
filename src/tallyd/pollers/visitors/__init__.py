"""Visitors: files of people who walked in and out, dropped into a folder by camera hosts.

`poller.py` is the whole of it at a glance, `settings.py` what a config may say. `sweep.py` takes the files
(`taking.py`; what is in one: `records.py`), `judging.py` says when a source has gone quiet; `report.py` adds
up, `delivery.py` posts it.
"""

from tallyd.pollers.visitors.poller import VisitorsPoller

__all__ = ["VisitorsPoller"]
