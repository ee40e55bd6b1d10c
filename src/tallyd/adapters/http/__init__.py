"""GET over HTTP: bounded in time and size, silent about its URLs.

`client.py` is the whole of it; `transfer.py` holds the deadline, `wire.py` what is done to requests and
urllib3, `answers.py` and `faults.py` say what came back, `body.py` reads it, `trust.py` knows whom to trust.
"""

from tallyd.adapters.http.client import HttpClient

__all__ = ["HttpClient"]
