"""The one port: which part of the service a request is for, and whether it may be asked at all."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

from werkzeug.wrappers import Request, Response

from local.access_logs import AccessLogs
from local.aws import INTERPRETER
from local.faults import Faults, json_refusal
from local.functions import Function, Functions
from local.gateway import problem
from local.objects import Objects, Wsgi, refusal
from local.outbox import outbox
from local.signatures import Refused, Signatures
from local.slot import Stopping

INVOKE = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/invocations")

OURSELVES = frozenset({"127.0.0.1", "localhost", "::1"})


class Front:
    """A WSGI application. Its later parts are set once they are there, for they are made through it."""

    def __init__(self, aws: Wsgi, signatures: Signatures, objects: Objects, database: Wsgi) -> None:
        self._aws, self._signatures, self._objects, self._database = aws, signatures, objects, database
        self.functions: Functions | None = None
        self.login: Callable[[Request], Response | None] | None = None
        self.gateway: Callable[[Request], Response] | None = None
        self.access_logs: AccessLogs | None = None
        self.faults: Faults | None = None
        """If AWS is to fail now and then"""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        return self._part(request)(environ, start_response)

    def _part(self, request: Request) -> Response | Wsgi:
        if urlsplit(f"//{request.host}").hostname not in OURSELVES:
            # A website whose name somebody makes point to this machine, to ask from a visitor's browser.
            return problem(421, "misdirected", "this service answers as 127.0.0.1 and localhost only")
        if _signed(request):
            return self._for_aws(request)
        if self._objects.has(request.path.strip("/").partition("/")[0]):
            return self._perhaps("s3", request, self._objects.unsigned)
        if (answer := outbox(request)) or (self.login and (answer := self.login(request))):
            return answer
        if self.gateway:
            return self.gateway(request)
        return problem(503, "starting", "the service is starting")

    def _for_aws(self, request: Request) -> Response | Wsgi:
        try:
            credential = self._signatures.check(request)
            if credential.key == INTERPRETER[0] and "Origin" in request.headers:
                raise Refused("AccessDenied", "no web page may use this key")
        except Refused as refused:
            return refusal(refused) if "X-Amz-Target" not in request.headers else json_refusal(refused)
        answer = self._perhaps(credential.service, request, self._of_service(credential.service, request))
        return self.access_logs.noting(request, answer) if self.access_logs and credential.service == "s3" else answer

    def _of_service(self, service: str, request: Request) -> Callable[[Request], Response | Wsgi]:
        """Who answers for a service of AWS."""
        if service == "s3":
            return self._objects.allowed
        if service == "dynamodb":
            return lambda _: self._database
        if self.functions and (found := INVOKE.fullmatch(request.path)):
            return functools.partial(self._invoke, self.functions, unquote(found["name"]))
        return lambda _: self._aws

    def _perhaps(self, service: str, request: Request, ask: Callable[[Request], Response | Wsgi]) -> Response | Wsgi:
        """What ``ask`` answers, unless AWS is to fail."""
        if self.faults is None:
            return ask(request)
        return self.faults.instead(service, request, ask)

    @staticmethod
    def _invoke(functions: Functions, name: str, request: Request) -> Response:
        try:
            function = functions[name]
        except KeyError:
            return json_refusal(Refused("ResourceNotFoundException", f"Function not found: {name}", 404))
        if request.headers.get("X-Amz-Invocation-Type") == "Event":  # nobody waits; here it is tried once
            threading.Thread(target=_begin, args=(function, request.get_data()), daemon=True).start()
            return Response(status=202)
        try:
            answer = function.invoke(request.get_data() or b"{}")
        except Stopping:
            return json_refusal(Refused("ServiceException", "the service is stopping", 500))
        headers = {"X-Amz-Executed-Version": "$LATEST"}
        if answer.failed:
            headers["X-Amz-Function-Error"] = "Unhandled"
        return Response(answer.payload, 200, headers, content_type="application/json")


def _begin(function: Function, payload: bytes) -> None:
    with suppress(Stopping):
        function.invoke(payload)


def _signed(request: Request) -> bool:
    return (
        request.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256")
        or "X-Amz-Target" in request.headers
        or "X-Amz-Signature" in request.args
    )
