"""Errors as HTTP tells them: RFC 9457, by one table. Nothing that is not meant for users gets out."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

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


STATUS: dict[type[CutlineError], HTTPStatus] = {
    # the nearest ancestor of an error that is here decides
    InvalidRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
    Malformed: HTTPStatus.BAD_REQUEST,
    UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
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
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
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
    found = [_wrong(error, body) for error in errors[:MAX_TOLD]]
    first = found[0]
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        InvalidRequest.code,
        first.detail,
        pointer=first.pointer,
        parameter=first.parameter,
        errors=tuple(found) if len(found) > 1 else None,
    )


MAX_TOLD = 20


def _wrong(error: dict[str, Any], body: Any) -> Wrong:
    place, *path = error["loc"]
    said = str(error.get("msg") or error["type"]).removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    if place == "body":
        pointer = _pointer(path, body)
        return Wrong(detail=f"{pointer.strip('/').replace('/', '.') or 'the body'}: {said}", pointer=pointer)
    name = str(path[0]) if path else str(place)
    return Wrong(detail=f"{name}: {said}", parameter=name)


def _pointer(path: Sequence[Any], body: Any) -> str:
    """A JSON pointer to what pydantic names by ``path``, in which names of models and types stand between."""
    pointer, here = "", body
    for position, step in enumerate(path):
        if step in (here if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else ()):
            here = here[step]
        elif position < len(path) - 1 or not isinstance(here, dict):  # neither there nor what is missing
            continue
        pointer += "/" + str(step).replace("~", "~0").replace("/", "~1")
    return pointer
