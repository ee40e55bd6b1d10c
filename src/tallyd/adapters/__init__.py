"""The outside world. Each module wraps one thing, makes no decisions, and does not import the others."""
