"""What the tests of servers share."""

from support.translations import use_translations

__all__ = ["use_translations"]
