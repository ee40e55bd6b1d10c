"""Notifications to people, and the heartbeat."""
