"""What people and machines see of tallyd over HTTP: the page, health, metrics, the API.

It reads and never writes. Begin with `app.py` (what can be asked for, and who may ask), then `page.py`.
`http/server.py` sees to it that no client costs the pollers anything. None of this is imported without `web`
in the config.
"""
