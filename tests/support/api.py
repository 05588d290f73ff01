"""The API in this process: events as API Gateway makes them, and what the real handler answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

ANNA, BEN, ADMIN, MACHINE = "anna", "ben", "root", "machine-client"
SCOPE = "cutline/exports"
TOKEN = "anna-s-token"
"""What the API over WSGI takes for ANNA's"""
SQUARE = {"type": "Polygon", "coordinates": [[[13.0, 50.0], [13.1, 50.0], [13.1, 50.1], [13.0, 50.1], [13.0, 50.0]]]}
BODY = {"source": {"scenes": ["s3://scenes/a.tif"]}, "aoi": SQUARE}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def claims_of(who: str | None) -> dict[str, Any]:
    """As API Gateway passes on a verified access token."""
    if who is None:
        return {}
    claims = {"sub": who, "scope": SCOPE, "token_use": "access", "client_id": "console", "username": who}
    return claims | ({"cognito:groups": "admin,staff"} if who == ADMIN else {})


def event_of(
    method: str,
    path: str,
    *,
    who: str | None = ANNA,
    body: Any = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    claims: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """API Gateway's event of a Lambda proxy integration."""
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    sent = {**({"Content-Type": "application/json"} if text is not None else {}), **(headers or {})}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": sent or None,
        "multiValueHeaders": {name: [value] for name, value in sent.items()} or None,
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "authorizer": {"claims": claims_of(who) if claims is None else claims},
            "domainName": "api.example.org",
            "httpMethod": method,
            "identity": {"sourceIp": "192.0.2.1"},
            "path": f"/v1{path}",
            "requestId": "request-1",
            "stage": "v1",
        },
        "body": text,
        "isBase64Encoded": False,
    }


CONTEXT = SimpleNamespace(
    aws_request_id="lambda-1", function_name="submit", get_remaining_time_in_millis=lambda: 29_000
)

Call = Callable[..., Answer]


def call(method: str, path: str, **how: Any) -> Answer:
    """What the handler answers. ``how`` as in ``event_of``."""
    return answer_to(event_of(method, path, **how))


def answer_to(event: dict[str, Any]) -> Answer:
    from functions.submit.handler import handler

    answer = handler(event, CONTEXT)
    headers = {name.lower(): values[0] for name, values in (answer.get("multiValueHeaders") or {}).items()}
    headers |= {name.lower(): value for name, value in (answer.get("headers") or {}).items()}
    return Answer(answer["statusCode"], headers, answer["body"] or "")


def wsgi(environ: dict[str, Any], start_response: Any) -> Any:
    """The API as a WSGI application, for tools that speak HTTP. Who sends a token is ANNA."""
    from werkzeug.wrappers import Request, Response

    from local.gateway import event_of as gateway_event

    request = Request(environ)
    token = request.authorization.token if request.authorization else None
    claims = claims_of(ANNA if token == TOKEN else None)
    answer = answer_to(gateway_event(request, {"claims": claims} if claims else {}))
    response = Response(answer.text, answer.status)
    response.headers.clear()
    response.headers.update(answer.headers)
    return response(environ, start_response)
