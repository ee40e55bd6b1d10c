"""HTTP requests: bounded in time and size, silent about their URLs.

Start with `client.py`. `deadline.py` holds the deadline, `transport.py` what is done to requests and urllib3,
`responses.py` and `errors.py` say what came back, `body.py` reads it, `ca_store.py` knows whom to trust.
"""
