"""HTTP requests with limits on time and size. URLs never appear in texts.

Start with `client.py`. `deadline.py` enforces the time limit, `transport.py` adapts requests and urllib3,
`responses.py` and `errors.py` interpret answers and failures, `body.py` reads bodies, `ca_store.py` has the
trusted certificates.
"""
