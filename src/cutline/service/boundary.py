"""Where states meet the library: an event becomes a model, an error one of the few that the state machine knows."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, TypeVar

from aws_lambda_powertools import Logger
from pydantic import ValidationError

from cutline.errors import FAMILIES, CutlineError, InternalError
from cutline.models.base import Model
from cutline.store.faults import told

T = TypeVar("T", bound=Model)

logger = Logger(service="cutline")

_TOLD = {"export_id", "attempt", "tiles", "delivery_id"}
"""Fields of a task that stand in each of its lines"""


def step(
    task: type[T],
) -> Callable[[Callable[[T, Any], Model | None]], Callable[[dict[str, Any], Any], dict[str, Any]]]:
    """Make a handler of a function of (task, Lambda context).

    What it returns becomes JSON. Every error leaves as a family of CutlineError, for Retry and Catch match class names
    exactly; its message is then ``{"code": …, "message": …}``.
    """

    def decorate(act: Callable[[T, Any], Model | None]) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
        @functools.wraps(act)
        def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
            logger.append_keys(
                function=act.__module__.split(".")[-2:][0], request=getattr(context, "aws_request_id", None)
            )
            try:
                given = task.model_validate(event)
                logger.append_keys(**given.model_dump(include=_TOLD))
                done = act(given, context)
                logger.info("done")
            except ValidationError as error:
                raise _as_family(InternalError(f"{task.__name__}: {error}")) from error
            except CutlineError as error:
                logger.exception(error.message)
                raise _as_family(error) from error
            except Exception as error:
                logger.exception("not foreseen")
                raise _as_family(told(error) or InternalError(f"{type(error).__name__}: {error}")) from error
            return done.model_dump(mode="json") if done else {}

        return handler

    return decorate


def _as_family(error: CutlineError) -> CutlineError:
    family = next(family for family in type(error).__mro__ if family in FAMILIES)
    cause = {"code": error.code, "message": error.message, **({"pointer": error.pointer} if error.pointer else {})}
    return family(json.dumps(cause))
