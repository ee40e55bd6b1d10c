"""Commands that do something now."""
