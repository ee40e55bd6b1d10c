"""What people and machines see of tallyd over HTTP: the page, its plots, health, metrics, the API.

It reads and never writes. Begin with `app.py` (what is asked, and who may ask), then `page.py` (the page);
`server.py` keeps whoever asks from costing the pollers anything. None of this is imported without `web` in
the config, but by `tallyd report --format html`: `report_page.py` renders that file, with the same plots.
"""
