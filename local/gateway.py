"""API Gateway's part: a request with a token becomes the event of a REST proxy, the handler's answer a response."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import time
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import jwt
from werkzeug.wrappers import Request, Response

from local.aws import ACCOUNT
from local.functions import Function
from local.slot import Stopping
from local.tokens import Tokens

LARGEST = 10 * 2**20
"""Bytes of a request or an answer, as API Gateway has it"""


class Gateway:
    """The REST API, in front of functions/submit."""

    def __init__(self, submit: Function, tokens: Tokens, public: Sequence[str]) -> None:
        """``public``: paths that want no token, ``{proxy+}`` and ``{name}`` as in the template."""
        self._submit, self._tokens = submit, tokens
        self._public = re.compile("|".join(_pattern(path) for path in public) or r"(?!)")

    def __call__(self, request: Request) -> Response:
        if (request.content_length or 0) > LARGEST:
            return problem(413, "too-large", f"a request may have {LARGEST:,} bytes at most")
        authorizer: dict[str, Any] = {}
        if request.method != "OPTIONS" and not self._public.fullmatch(request.path):
            try:
                authorizer = {"claims": _as_text(self._tokens.claims(_bearer(request)))}
            except jwt.InvalidTokenError as error:
                return problem(401, "unauthenticated", f"the access token is not valid: {error}")
        try:
            answer = self._submit.invoke(json.dumps(event_of(request, authorizer)).encode())
        except Stopping:
            return problem(503, "stopping", "the service is stopping")
        if answer.failed:
            return problem(502, "internal-error", "the service could not answer; its log says why")
        return _response(json.loads(answer.payload))


def problem(status: int, code: str, detail: str) -> Response:
    """RFC 9457, as the API's own."""
    body = {"type": "about:blank", "title": Response(status=status).status.split(" ", 1)[1].capitalize()}
    body |= {"status": status, "code": code, "detail": detail}  # type: ignore[dict-item]
    headers = {"Access-Control-Allow-Origin": "*", **({"WWW-Authenticate": "Bearer"} if status == 401 else {})}
    return Response(json.dumps(body), status, headers, content_type="application/problem+json")


def event_of(request: Request, authorizer: dict[str, Any]) -> dict[str, Any]:
    """API Gateway's event of a Lambda proxy integration."""
    now = time.time()
    query = parse_qsl(request.query_string.decode(errors="replace"), keep_blank_values=True)
    body = request.get_data()
    try:
        text, is_base64 = body.decode(), False
    except UnicodeDecodeError:
        text, is_base64 = base64.b64encode(body).decode(), True
    return {
        "resource": "/{proxy+}",
        "path": request.path,
        "httpMethod": request.method,
        "headers": dict(request.headers) or None,
        "multiValueHeaders": _many(list(request.headers)),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _many(query),
        "pathParameters": {"proxy": request.path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "authorizer": authorizer,
            "domainName": request.host,
            "httpMethod": request.method,
            "identity": {"sourceIp": request.remote_addr, "userAgent": request.headers.get("User-Agent")},
            "path": request.path,
            "protocol": request.environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
            "requestId": str(uuid.uuid4()),
            "requestTime": dt.datetime.fromtimestamp(now, dt.UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "requestTimeEpoch": int(now * 1000),
            "resourceId": "local",
            "resourcePath": "/{proxy+}",
            "stage": "local",
        },
        "body": text or None,
        "isBase64Encoded": is_base64,
    }


def _response(answer: dict[str, Any]) -> Response:
    body = answer.get("body") or ""
    content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    response = Response(content, answer["statusCode"])
    response.headers.clear()
    for name, value in (answer.get("headers") or {}).items():
        response.headers[name] = str(value)
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        response.headers.setlist(name, list(map(str, values)))
    if (said := response.headers.pop("Content-Length", None)) is not None:  # API Gateway knows better, of HEAD too
        response.headers["x-amzn-Remapped-Content-Length"] = said
    response.headers["Content-Length"] = str(len(content))
    response.autocorrect_location_header = False
    return response


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if not token and "." in kind:  # API Gateway takes the bare token too
        return kind
    if kind.lower() != "bearer" or not token:
        raise jwt.InvalidTokenError("there is none; send the header Authorization: Bearer …")
    return token.strip()


def _as_text(claims: dict[str, Any]) -> dict[str, str]:
    """As API Gateway passes claims on: all text, lists by commas."""
    return {key: ",".join(map(str, value)) if isinstance(value, list) else str(value) for key, value in claims.items()}


def _many(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]] | None:
    many: dict[str, list[str]] = {}
    for key, value in pairs:
        many.setdefault(key, []).append(value)
    return many or None


def _pattern(path: str) -> str:
    pieces = re.split(r"(\{\w+\+?\})", path)
    return "".join(
        (".+" if piece.endswith("+}") else "[^/]+") if piece.startswith("{") else re.escape(piece) for piece in pieces
    )
