from tests.support.interpreter import interpreter

__all__ = ["interpreter"]
