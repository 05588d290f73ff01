"""The API as one function of an event. Whatever happens, the answer is one that the OpenAPI document tells of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from cutline.errors import NotFound, RateLimited, TransientError
from cutline.models.api import Problem
from cutline.service.api import (
    account,
    cors,
    destinations,
    document,
    downloads,
    exports,
    links,
    preferences,
    presets,
    uploads,
    usage,
    webhooks,
)
from cutline.service.api.answers import problem_answer
from cutline.service.api.reading import check_content, read_json
from cutline.service.boundary import logger
from cutline.service.callers import Caller, caller_of
from cutline.service.problems import MethodNotAllowed, RangeNotSatisfiable, invalid, problem_of
from cutline.store.faults import told as told_of_aws

RETRY_SECONDS = "5"
EXPORT = re.compile(r"/exports/([0-9a-f]{24})(?:/|$)")
"""A path of one export, whose logs the request belongs to"""

app = APIGatewayRestResolver(enable_validation=True, json_body_deserializer=read_json)
for module in (exports, destinations, downloads, links, uploads, presets, account, usage, preferences, webhooks):
    app.include_router(module.router)
document.add_to(app)


def respond(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """The answer to an event of a REST API."""
    method, path = str(event.get("httpMethod")).upper(), _path(event)
    found = EXPORT.match(path)
    logger.append_keys(function="submit", request=_request_id(event), export_id=found and found[1])
    try:
        answer = _proxied(cors.preflight()) if method == "OPTIONS" else _resolved(event, context)
    except Exception as error:
        answer = _proxied(_failed(error, event))
    answer["multiValueHeaders"] |= {name: [value] for name, value in cors.allowed().items()}
    told = f"{downloads.SHARED}…" if path.startswith(downloads.SHARED) else path[:200]
    logger.info("%s %s: %d", method, told, answer["statusCode"], extra={"by": _sub(event)})
    return answer


def _resolved(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """What the route answers. Raises what keeps a request from any route."""
    caller = _caller(event)
    _check_route(str(event.get("httpMethod")).upper(), _path(event))
    ready = check_content(event)
    app.append_context(caller=caller)  # type: ignore[no-untyped-call]
    return app.resolve(ready, context)


def _caller(event: Mapping[str, Any]) -> Caller | None:
    """Whoever asks, who has to be known before anything else is said; anybody may ask for what is public."""
    path = _path(event)
    return None if path.rstrip("/") in account.PUBLIC or downloads.PUBLIC.fullmatch(path) else caller_of(event)


def _check_route(method: str, path: str) -> None:
    """Raise NotFound or MethodNotAllowed where no route answers."""
    # /exports/estimate is no export's path, though it looks like one.
    static, dynamic = ({route.method for route in routes if route.rule.match(path)} for routes in _routes())
    methods = sorted(static or dynamic)
    if not methods:
        raise NotFound("there is nothing at this path; /docs shows what there is")
    if method not in methods:
        raise MethodNotAllowed(f"{method} is not done here; allowed: {', '.join(methods)}", details={"allow": methods})


def _routes() -> tuple[Sequence[Any], Sequence[Any]]:
    """Those without and those with parameters in their paths."""
    return app._static_routes, app._dynamic_routes


def _on_error(error: Exception) -> Response[Any]:
    return _failed(error, app.current_event.raw_event)


def _on_invalid(error: RequestValidationError) -> Response[Any]:
    body = app.current_event.body
    return problem_answer(invalid(error.errors(), read_json(body) if body else None))


def _failed(error: Exception, event: Mapping[str, Any]) -> Response[Any]:
    error = told_of_aws(error) or error
    problem = problem_of(error, _request_id(event))
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.exception("the API could not answer")
    return problem_answer(problem, _headers(error, problem))


def _headers(error: Exception, problem: Problem) -> dict[str, str]:
    if isinstance(error, MethodNotAllowed):
        return {"Allow": ", ".join(error.details["allow"])}
    if isinstance(error, RangeNotSatisfiable):
        return {"Content-Range": f"bytes */{error.details['nbytes']}"}
    if isinstance(error, RateLimited) and "retry_after" in error.details:
        return {"Retry-After": str(error.details["retry_after"])}
    return {"Retry-After": RETRY_SECONDS} if isinstance(error, TransientError) else {}


def _proxied(response: Response[Any]) -> dict[str, Any]:
    """As a Lambda proxy integration wants it."""
    headers = {name: [str(value)] for name, value in response.headers.items()}
    return {
        "statusCode": response.status_code,
        "multiValueHeaders": headers,
        "body": response.body,
        "isBase64Encoded": False,
    }


def _path(event: Mapping[str, Any]) -> str:
    return str(event.get("path") or "/")


def _sub(event: Mapping[str, Any]) -> str | None:
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    return (authorizer.get("claims") or {}).get("sub")


def _request_id(event: Mapping[str, Any]) -> str | None:
    return (event.get("requestContext") or {}).get("requestId")


app.exception_handler(Exception)(_on_error)
app.exception_handler(RequestValidationError)(_on_invalid)
