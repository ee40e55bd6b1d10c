"""The server of the page, and who may use it."""
