"""What each channel has yet to hear, and the heartbeat."""
