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
OURS = "something went wrong on our side; retry goes on from the finished tiles"
"""All that users are told of what they can do nothing about; the log has the rest"""


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
            except ValidationError as error:
                logger.exception("this is no %s", task.__name__)
                raise _as_family(InternalError(OURS)) from error
            logger.append_keys(**given.model_dump(include=_TOLD))
            try:
                done = act(given, context)
            except Exception as error:
                known = error if isinstance(error, CutlineError) else told(error)
                logger.exception(known.message if known else "not foreseen")
                raise _as_family(_for_users(known)) from error
            logger.info("done")
            return done.model_dump(mode="json") if done else {}

        return handler

    return decorate


def _for_users(error: CutlineError | None) -> CutlineError:
    """What the export's record will say of an error. One without a code of its own speaks of our insides."""
    if error is None or error.code == InternalError.code:
        return InternalError(OURS)
    return error


def _as_family(error: CutlineError) -> CutlineError:
    family = next(family for family in type(error).__mro__ if family in FAMILIES)
    cause = {"code": error.code, "message": error.message, **({"pointer": error.pointer} if error.pointer else {})}
    return family(json.dumps(cause))
