"""When to look at a job, and which slot is due."""
