"""The config file: its types, its problems, its secrets, and what happens when it changes."""
