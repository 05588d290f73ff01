"""The service, for the tests of a module."""

from tests.support.local import running

__all__ = ["running"]
