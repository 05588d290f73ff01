"""The API as one function of an event. Whatever happens, the answer is one that the OpenAPI document tells of."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from cutline.errors import NotFound, TransientError
from cutline.models.api import Problem
from cutline.service.api import account, document, exports
from cutline.service.api.answers import problem_answer
from cutline.service.api.reading import check_content, read_json
from cutline.service.boundary import logger
from cutline.service.callers import Caller, caller_of
from cutline.service.problems import MethodNotAllowed, invalid, problem_of

RETRY_SECONDS = "5"

app = APIGatewayRestResolver(enable_validation=True, json_body_deserializer=read_json)
for module in (exports, account):
    app.include_router(module.router)
document.add_to(app)


def respond(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """The answer to an event of a REST API."""
    logger.append_keys(function="submit", request=_request_id(event))
    try:
        caller = _caller(event)
        _check_route(event)
        ready = check_content(event)
    except Exception as error:
        return _proxied(_failed(error, event))
    app.append_context(caller=caller)  # type: ignore[no-untyped-call]
    return app.resolve(ready, context)


def _caller(event: Mapping[str, Any]) -> Caller | None:
    """Whoever asks, who has to be known before anything else is said; anybody may ask for what is public."""
    return None if _path(event).rstrip("/") in account.PUBLIC else caller_of(event)


def _check_route(event: Mapping[str, Any]) -> None:
    """Raise NotFound or MethodNotAllowed where no route answers."""
    path, method = _path(event), str(event.get("httpMethod")).upper()
    methods = sorted({route.method for route in _routes() if route.rule.match(path)})
    if not methods:
        raise NotFound("there is nothing at this path; /docs shows what there is")
    if method not in methods:
        raise MethodNotAllowed(f"{method} is not done here; {', '.join(methods)} is", details={"allow": methods})


def _routes() -> list[Any]:
    return [*app._static_routes, *app._dynamic_routes]


def _on_error(error: Exception) -> Response[Any]:
    return _failed(error, app.current_event.raw_event)


def _on_invalid(error: RequestValidationError) -> Response[Any]:
    body = app.current_event.body
    return problem_answer(invalid(error.errors(), read_json(body) if body else None))


def _failed(error: Exception, event: Mapping[str, Any]) -> Response[Any]:
    problem = problem_of(error, _request_id(event))
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.exception("the API could not answer")
    return problem_answer(problem, _headers(error, problem))


def _headers(error: Exception, problem: Problem) -> dict[str, str]:
    if isinstance(error, MethodNotAllowed):
        return {"Allow": ", ".join(error.details["allow"])}
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


def _request_id(event: Mapping[str, Any]) -> str | None:
    return (event.get("requestContext") or {}).get("requestId")


app.exception_handler(Exception)(_on_error)
app.exception_handler(RequestValidationError)(_on_invalid)
