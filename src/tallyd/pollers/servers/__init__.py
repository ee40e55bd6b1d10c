"""Asks servers, every so often, how old their data is.

`poller.py` is the whole of it at a glance and `round.py` the main flow: `settings.py` and `targets.py` are
what a config may say, `lanes.py` checks many targets at a time, `checking.py` is one check, `book.py` what is
known from round to round, `kinds.py` and `facts.py` how it is told. The rule is `tallyd.core.freshness`.
"""

from tallyd.pollers.servers.poller import ServersPoller

__all__ = ["ServersPoller"]
