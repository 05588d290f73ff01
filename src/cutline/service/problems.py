"""Errors as HTTP tells them: RFC 9457, by one table. Nothing that is not meant for users gets out."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from cutline import validation
from cutline.errors import (
    AccessDenied,
    Conflict,
    CutlineError,
    DeliveryRejected,
    InternalError,
    InvalidRequest,
    NotFound,
    RateLimited,
    SourceUnavailable,
    StorageError,
    TooLarge,
    TransientError,
    Unauthenticated,
)
from cutline.models.api import Problem, Wrong


class Malformed(InvalidRequest):
    """No JSON at all."""

    code = "malformed-json"


class UnsupportedMediaType(InvalidRequest):
    code = "unsupported-media-type"


class MethodNotAllowed(InvalidRequest):
    code = "method-not-allowed"


class RangeNotSatisfiable(InvalidRequest):
    """``details["nbytes"]``: of the whole file."""

    code = "range-not-satisfiable"


STATUS: dict[type[CutlineError], HTTPStatus] = {
    # the nearest ancestor of an error that is here decides
    InvalidRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
    Malformed: HTTPStatus.BAD_REQUEST,
    UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    RangeNotSatisfiable: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Conflict: HTTPStatus.CONFLICT,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    AccessDenied: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    SourceUnavailable: HTTPStatus.FAILED_DEPENDENCY,  # somebody else's server; a 503 would say that we are down
    TransientError: HTTPStatus.SERVICE_UNAVAILABLE,
    DeliveryRejected: HTTPStatus.BAD_GATEWAY,
    StorageError: HTTPStatus.INTERNAL_SERVER_ERROR,
    InternalError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
TITLES = {413: "Content Too Large", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}
"""As RFC 9110 calls them; Python's names are older"""
SECRET = frozenset({HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY})
"""What went wrong is ours, and stays in the log"""
OURS = "something went wrong on our side; the request_id leads those who run this to the reason"


def problem_of(error: Exception, request_id: str | None = None) -> Problem:
    """What a user is told of ``error``."""
    if not isinstance(error, CutlineError):
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, InternalError.code, OURS, request_id=request_id)
    status = next(STATUS[family] for family in type(error).__mro__ if family in STATUS)
    if status in SECRET:
        return problem(status, error.code, OURS, request_id=request_id)
    return problem(
        status,
        error.code,
        error.message,
        pointer=error.pointer,
        parameter=error.details.get("parameter"),
        findings=error.details.get("findings"),
    )


def problem(status: int, code: str, detail: str, **more: Any) -> Problem:
    """``more``: other members of a Problem; None is left out."""
    title = TITLES.get(status) or HTTPStatus(status).phrase
    return Problem(title=title, status=int(status), code=code, detail=detail, **more)


def invalid(errors: Sequence[dict[str, Any]], body: Any) -> Problem:
    """What validation found wrong with a request, whose JSON body is ``body``: the first in words, and all of it."""
    of_body = [{**error, "loc": error["loc"][1:]} for error in errors if error["loc"][0] == "body"]
    others = [error for error in errors if error["loc"][0] != "body"]
    found = [_of_parameter(error) for error in others]
    found += [
        Wrong(detail=f"{pointer.strip('/').replace('/', '.') or 'the body'}: {said}", pointer=pointer)
        for pointer, said in validation.told(of_body, body).items()
    ]
    first = found[0]
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        InvalidRequest.code,
        first.detail,
        pointer=first.pointer,
        parameter=first.parameter,
        errors=tuple(found[:MAX_TOLD]) if len(found) > 1 else None,
    )


MAX_TOLD = 20


def _of_parameter(error: dict[str, Any]) -> Wrong:
    place, *path = error["loc"]
    name = str(path[0]) if path else str(place)
    twice = isinstance(error.get("input"), list)
    return Wrong(
        detail=f"{name}: {'is given twice; once is enough' if twice else validation.words([error])}", parameter=name
    )
