"""The settings of a target: what to ask, how, and when its data is stale."""
