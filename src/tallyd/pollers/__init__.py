"""The kinds of poller: one file or package each, with its settings, its jobs and its parsing.

A poller reaches the outside world only through its toolbox (`contract/toolbox.py`). No kind imports another.
"""
