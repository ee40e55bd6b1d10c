"""The rules of alerts, and their words."""
