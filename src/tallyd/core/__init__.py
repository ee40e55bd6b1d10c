"""Values and rules. No clock, no disk, no network, no logging: time is always an argument."""
