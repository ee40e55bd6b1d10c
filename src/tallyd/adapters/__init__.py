"""The outside world. Each module wraps one thing, decides nothing, and knows none of the others."""
