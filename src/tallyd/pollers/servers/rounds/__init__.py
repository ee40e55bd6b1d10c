"""One round of checks: whom to ask when, what is remembered, and what is written of it."""
