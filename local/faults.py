"""AWS on a bad day: a share of the requests to its APIs is refused, or done and not answered for.

    python -m local --faults 0.1

This is how to see what throttling and AWS's own errors do to exports. The n-th request of a kind (an operation of
DynamoDB, a GET of S3, an invocation of a function …) meets the same fate in every run with the same seed, whatever the
others do.
"""

from __future__ import annotations

import json
import random
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Request, Response

from local.objects import Wsgi, refusal
from local.signatures import Refused


@dataclass(frozen=True)
class Fault:
    """What AWS answers instead."""

    status: int
    code: str
    done: bool = False
    """What was asked for has been done all the same"""


FAULTS: dict[str, tuple[Fault, ...]] = {
    # service: each as probable as the others
    "s3": (
        Fault(503, "SlowDown"),
        Fault(503, "ServiceUnavailable"),
        Fault(500, "InternalError"),
        Fault(500, "InternalError", done=True),
    ),
    "dynamodb": (
        Fault(400, "ThrottlingException"),
        Fault(400, "ProvisionedThroughputExceededException"),
        Fault(500, "InternalServerError"),
        Fault(500, "InternalServerError", done=True),
    ),
    "lambda": (
        Fault(429, "TooManyRequestsException"),
        Fault(500, "ServiceException"),
        Fault(500, "ServiceException", done=True),
    ),
    "states": (Fault(400, "ThrottlingException"), Fault(500, "InternalServerError")),
}
"""The services that functions and the state machine lean on. Queues, logs and events have none: they are ours here"""

TASKS = "/tasks.json"
"""What a distributed map reads its items from. It has no faults: moto makes States.Runtime of any, which nothing can
catch. AWS says States.ItemReaderFailed, which RenderTiles tries again"""


ANSWERED_ONCE = frozenset({"TransactWriteItems"})
"""AWS knows by its token that such a request comes again, and answers as it would have; moto does it again"""


class Faults:
    """Decides the fate of requests."""

    def __init__(self, rate: float, seed: int = 0, tell: Callable[[str], None] = print) -> None:
        """``rate``: the share that fails, 0 to 1. ``tell`` gets a line for each."""
        self._rate, self._seed, self._tell = rate, seed, tell
        self._kinds: dict[str, random.Random] = {}
        self._lock = threading.Lock()

    def instead(self, service: str, request: Request, ask: Callable[[Request], Response | Wsgi]) -> Response | Wsgi:
        """What ``ask`` answers to ``request``, or what goes wrong with it."""
        operation = _operation(service, request)
        fault = None if request.path.endswith(TASKS) else self._next(service, operation)
        if fault is None:
            return ask(request)
        done = fault.done and operation not in ANSWERED_ONCE
        after = "done, but " if done else ""
        self._tell(f"fault: {after}{fault.status} {fault.code} for {service} {operation} {request.path}")

        def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if done:
                for _ in ask(request)(environ, lambda *_: None):
                    pass
            else:
                request.get_data(cache=False)  # else the connection ends before the answer is read
            return _refusal(service, fault)(environ, start_response)

        return answer

    def _next(self, service: str, operation: str) -> Fault | None:
        with self._lock:
            kind = f"{self._seed} {service} {operation}"
            chances = self._kinds.setdefault(kind, random.Random(kind))  # noqa: S311 - no secret
            fails, which = chances.random() < self._rate, chances.random()
        known = FAULTS.get(service, ())
        return known[int(which * len(known))] if known and fails else None


def _operation(service: str, request: Request) -> str:
    if service == "lambda":
        return "Invoke"
    if service != "s3":
        return request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    asked = [name for name in ("uploads", "uploadId", "partNumber", "list-type", "delete") if name in request.args]
    return "?".join([request.method, *asked[:1]])


def _refusal(service: str, fault: Fault) -> Response:
    """In the words of the service."""
    refused = Refused(fault.code, f"{fault.code}, as the local service was started with --faults", fault.status)
    if service == "s3":
        return refusal(refused)
    return json_refusal(refused)


def json_refusal(refused: Refused) -> Response:
    """In the words of AWS's services that speak JSON."""
    body = json.dumps({"__type": refused.code, "Type": "User", "message": refused.message})
    # The interpreter writes the request's id into the history, and stumbles where there is none.
    headers = {"x-amzn-ErrorType": refused.code, "x-amzn-RequestId": str(uuid.uuid4())}
    return Response(body, refused.status, headers, content_type="application/x-amz-json-1.0")
