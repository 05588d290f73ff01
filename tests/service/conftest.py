from tests.support.destinations import place
from tests.support.mails import anna

__all__ = ["anna", "place"]
