"""The rules of time: which slots there are, and which hours count."""
