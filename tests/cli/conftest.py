"""Catalogs that a test writes itself."""

from support.translations import use_translations

__all__ = ["use_translations"]
