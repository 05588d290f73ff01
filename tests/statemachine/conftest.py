from tests.support.interpreter import interpreter
from tests.support.machine import machine

__all__ = ["interpreter", "machine"]
