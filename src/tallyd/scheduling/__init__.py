"""When to look at a job, and what is due."""
