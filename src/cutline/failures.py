"""What Step Functions knows of an error, in words for people: steps speak for themselves unless they died."""

from __future__ import annotations

import json
from typing import Any

from cutline.models.record import Failure


def failure_of(error: str, cause: str) -> Failure:
    """What Step Functions knows of an error (its name, and a Lambda's answer as JSON), as people are told it."""
    if "Error" in (caught := _object(cause)):  # the machine gave up, and hands on what it caught
        return failure_of(str(caught["Error"]), str(caught.get("Cause", "")))
    told = _object(_object(cause).get("errorMessage", cause))
    if "code" in told and "message" in told:
        return Failure(code=told["code"], message=told["message"], pointer=told.get("pointer"))
    if error in _DIED:
        code, message = _DIED[error]
        return Failure(code=code, message=message)
    return Failure(code="internal-error", message=f"a step failed with {error}; retry goes on from the finished tiles")


_AGAIN = "retry goes on from the finished tiles"
_LATE = ("timed-out", f"a step took longer than it may; {_AGAIN}")
_KILLED = ("worker-died", f"a step died, perhaps for lack of memory; {_AGAIN}")
_BUSY = ("throttled", f"AWS had no room for this step for minutes; {_AGAIN}")
_BROKEN = ("transient-error", f"AWS failed at this step again and again; {_AGAIN}")
_DIED = {
    # What ends a step without a word of its own -> code, message
    "States.Timeout": _LATE,
    "Sandbox.Timedout": _LATE,
    "Lambda.Unknown": _KILLED,
    "Runtime.ExitError": _KILLED,
    "Runtime.OutOfMemory": _KILLED,
    "Lambda.TooManyRequestsException": _BUSY,
    "DynamoDB.ProvisionedThroughputExceededException": _BUSY,
    "DynamoDB.RequestLimitExceeded": _BUSY,
    "DynamoDB.ThrottlingException": _BUSY,
    "Lambda.ServiceException": _BROKEN,
    "Lambda.AWSLambdaException": _BROKEN,
    "DynamoDB.InternalServerError": _BROKEN,
    "DynamoDB.InternalServerErrorException": _BROKEN,
    "States.ItemReaderFailed": _BROKEN,
}


def _object(text: Any) -> dict[str, Any]:
    """The JSON object that ``text`` is, or {}."""
    try:
        value = json.loads(text)
    except (ValueError, TypeError):
        return {}
    return value if isinstance(value, dict) else {}
