"""Counts the people of a Divera 24/7 unit by status, at fixed times of day.

Start with `poller.py`. `settings.py` is the config, `client.py` makes the requests, `parse.py` reads the
replies. `personal_data.py` is the one place that looks at personal data, to prove that nothing keeps any.
"""
