"""What a poller is, and everything it may touch."""
