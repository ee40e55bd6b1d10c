"""The small world of the demo: the servers and cameras that the daemon asks."""
