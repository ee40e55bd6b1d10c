"""The intake: cameras send files over HTTP, and tallyd puts them into the inbox.

`application.py` receives a file; `multipart.py` reads a form; `service.py` is what the daemon serves.
"""
