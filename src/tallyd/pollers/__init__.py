"""The kinds of poller: one file or package each, with its settings, its jobs and its parsing.

A poller reads the outside world through the `Toolbox` of `contract/poller.py` alone. No kind imports another.
"""
