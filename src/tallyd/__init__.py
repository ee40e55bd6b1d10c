"""tallyd counts things on a schedule and sends an alert when they stop.

Read in this order: `daemon.py` (the main flow), `contract/poller.py` (what a poller is and may touch),
`pollers/divera/poller.py` (one whole poller), `core/reading.py` (what crosses between them), then
`core/schedule/timetable.py` (which slot is due, missed or to be caught up). Imports only ever go down:

    cli, demo -> web -> daemon -> scheduling | runs | alerting | outbox -> storage -> config
        -> pollers | adapters | presentation -> contract, settings, retry -> core
"""

__version__ = "0.1.0"
