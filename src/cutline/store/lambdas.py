"""Other functions of ours, asked while somebody waits for the answer, or told to begin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cutline.errors import CutlineError, InternalError, TransientError
from cutline.store.clients import client
from cutline.store.faults import translated

DIED = frozenset({"Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory"})


def ask(function: str, payload: dict[str, Any]) -> dict[str, Any]:
    """What the function, by AWS's name of it, answers. Raises the error that it raised, and TransientError where it
    ended without a word."""
    try:
        with translated():
            answer = client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload))
            content: dict[str, Any] = json.loads(answer["Payload"].read())
    except TransientError as error:
        raise TransientError("there is no answer yet; look again in a minute, or try again") from error
    if answer.get("FunctionError"):
        raise _error_of(content)
    return content


def start(function: str, payload: dict[str, Any]) -> None:
    """Have the function called, by AWS's name of it, while nobody waits: where it raises, Lambda tries it twice more.
    Raises TransientError, and InternalError where AWS refuses."""
    with translated():
        client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(payload))


def _error_of(content: dict[str, Any]) -> CutlineError:
    """As a step of the service raises it (service/boundary.py), and Lambda tells it."""
    try:
        told = json.loads(content["errorMessage"])
        known, message, pointer = _BY_CODE[told["code"]], str(told["message"]), told.get("pointer")
    except (KeyError, TypeError, ValueError):
        kind = content.get("errorType") or "no type"
        if kind in DIED or "timed out" in str(content.get("errorMessage")):
            return TransientError("it did not answer in time; try again")
        return InternalError(f"a function of ours failed with {kind}")
    return known(message, pointer=pointer)


def _family(error: type[CutlineError]) -> Iterator[type[CutlineError]]:
    yield error
    for below in error.__subclasses__():
        yield from _family(below)


_BY_CODE = {error.code: error for error in reversed(list(_family(CutlineError)))}
