"""What routes answer with, as it is and as OpenAPI has it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from cutline.models.api import Problem
from cutline.models.base import Model
from cutline.service.callers import Caller
from cutline.service.problems import TITLES

JSON, PROBLEM = "application/json", "application/problem+json"
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
"""Answers are one person's, and some lead to files"""

Responses = dict[int, Any]


def answer(
    status: int, model: Model | None = None, headers: Mapping[str, str] | None = None, content_type: str = JSON
) -> Response[Any]:
    """A response with ``model`` as JSON, or without a body."""
    return Response(
        status_code=int(status),
        content_type=content_type if model is not None else None,
        body=model.model_dump_json(by_alias=True) if model is not None else "",
        headers={**PRIVATE, **(headers or {})},
    )


def problem_answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response[Any]:
    more = {"WWW-Authenticate": "Bearer"} if problem.status == HTTPStatus.UNAUTHORIZED else {}
    return Response(
        status_code=problem.status,
        content_type=PROBLEM,
        body=problem.model_dump_json(exclude_none=True),
        headers={**PRIVATE, **more, **(headers or {})},
    )


def told(
    status: int, description: str, model: type[Model] | None, *problems: int, content_type: str = JSON, **headers: str
) -> Responses:
    """For a route's ``responses``: its success, and the problems that are its own beside those of all routes.
    ``headers``: name -> description, of the success."""
    success: dict[str, Any] = {"description": description}
    if model is not None:
        success["content"] = {content_type: {"model": model}}
    if headers:
        success["headers"] = {
            name.replace("_", "-"): {"description": text, "schema": {"type": "string"}}
            for name, text in headers.items()
        }
    return {status: success, **{each: described(each) for each in problems}}


def described(status: int) -> dict[str, Any]:
    """A problem of this status, for OpenAPI."""
    return {
        "description": TITLES.get(status) or HTTPStatus(status).phrase,
        "content": {PROBLEM: {"model": Problem}},
    }


def caller(router: APIGatewayRouter) -> Caller:
    """Who asks; app.py has made sure of it."""
    known: Caller = router.context["caller"]
    return known
