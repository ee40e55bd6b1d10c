"""Texts in the language of who reads them: English, German, Traditional Chinese.

The log, JSON, metrics, config errors and `--help` are English for everybody.
"""
