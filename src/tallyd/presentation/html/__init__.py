"""Boards as HTML, for the page and for a report as one file. Needs jinja2, which is optional."""
