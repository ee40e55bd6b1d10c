"""Commands for the config: check it, begin one, describe it."""
