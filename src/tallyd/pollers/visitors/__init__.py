"""Visitors: files of people who walked in and out, dropped into a folder by camera hosts."""
