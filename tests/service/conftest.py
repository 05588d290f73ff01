from tests.support.destinations import place

__all__ = ["place"]
