"""The daemon as a process: `tallyd run`, and what its jobs use."""
