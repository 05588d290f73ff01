"""The one port: which part of the service a request is for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from werkzeug.wrappers import Request, Response

from local.functions import Functions
from local.gateway import problem

INVOKE = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/invocations")

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Front:
    """A WSGI application. Parts are set once they are there: the resources are made through it."""

    def __init__(self, aws: Wsgi) -> None:
        self.aws = aws
        self.functions: Functions | None = None
        self.gateway: Callable[[Request], Response] | None = None
        self.login: Callable[[Request], Response | None] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        found = INVOKE.fullmatch(request.path)
        if found and self.functions:
            return self._invoke(unquote(found["name"]), request)(environ, start_response)
        if _for_aws(request):
            return self.aws(environ, start_response)
        if self.login and (answer := self.login(request)):
            return answer(environ, start_response)
        if self.gateway:
            return self.gateway(request)(environ, start_response)
        return problem(503, "starting", "the service is starting")(environ, start_response)

    def _invoke(self, name: str, request: Request) -> Response:
        assert self.functions
        try:
            function = self.functions[name]
        except KeyError:
            return _lambda_error(404, "ResourceNotFoundException", f"Function not found: {name}")
        answer = function.invoke(request.get_data() or b"{}")
        headers = {"X-Amz-Executed-Version": "$LATEST"}
        if answer.failed:
            headers["X-Amz-Function-Error"] = "Unhandled"
        return Response(answer.payload, 200, headers, content_type="application/json")


def _for_aws(request: Request) -> bool:
    return (
        request.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256")
        or "X-Amz-Target" in request.headers
        or "X-Amz-Signature" in request.args
    )


def _lambda_error(status: int, kind: str, message: str) -> Response:
    return Response(
        json.dumps({"Type": "User", "Message": message}),
        status,
        {"x-amzn-ErrorType": kind},
        content_type="application/json",
    )
