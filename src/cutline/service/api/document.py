"""The OpenAPI document and Swagger: what powertools knows of the routes, and what holds for all of them."""

from __future__ import annotations

import functools
import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, openapi
from aws_lambda_powertools.event_handler.openapi.swagger_ui import generate_swagger_html

from cutline import __version__
from cutline.service.api.answers import PROBLEM
from cutline.service.callers import SCOPE
from cutline.service.problems import TITLES
from cutline.settings import service

DESCRIPTION = """\
Cut any area out of satellite or aerial imagery into one Cloud-Optimized GeoTIFF.

`POST /exports` answers at once; `GET /exports/{export_id}` shows how far it is; `GET …/download` redirects to the file.
Errors are `application/problem+json` (RFC 9457) with a stable `code`, and a `pointer` to the field that is wrong.
"""

ANY = (401, 403, 422, 429, 500, 503)
"""Problems of every route that wants a token; 429 is the gateway's, too"""
WITH_BODY = (400, 413, 415)
PUBLIC = (500,)
PUBLIC_OPERATIONS = frozenset({"getHealth", "getConfig", "openLink", "headLink"})
BODILESS = frozenset({"204", "307"})

SECURITY = {
    "oauth2": {
        "type": "oauth2",
        "description": "People sign in with a code and PKCE, machines with a client's secret.",
        "flows": {},
    },
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}


def add_to(app: APIGatewayRestResolver) -> None:
    """Routes for the document and for Swagger, which shows it."""

    @app.get("/openapi.json", include_in_schema=False)
    def openapi_json() -> Response[Any]:
        return Response(200, "application/json", json.dumps(document(app)))

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response[Any]:
        spec = json.dumps(document(app)).replace("</", "<\\/")
        html = generate_swagger_html(spec, _asset("js"), _asset("css"), "", None, False)
        return Response(200, "text/html; charset=utf-8", html, headers=PAGE)


PAGE = {
    "Content-Security-Policy": "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def _asset(kind: str) -> str:
    name = {"js": "swagger-ui-bundle.min.js", "css": "swagger-ui.min.css"}[kind]
    return (Path(openapi.__file__).parent / "swagger_ui" / name).read_text(encoding="utf-8")


def document(app: APIGatewayRestResolver) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    made: dict[str, Any] = json.loads(_common(app))
    settings = service()
    login = settings.login_url or settings.url
    token = {"tokenUrl": f"{login}/oauth2/token", "scopes": {SCOPE: "All of this API"}}
    made["servers"] = [{"url": settings.url or "/"}]
    made["components"]["securitySchemes"]["oauth2"]["flows"] = {
        "authorizationCode": {"authorizationUrl": f"{login}/oauth2/authorize", **token},
        "clientCredentials": token,
    }
    return made


@functools.cache
def _common(app: APIGatewayRestResolver) -> str:
    """What is the same wherever this runs."""
    made: dict[str, Any] = json.loads(
        app.get_openapi_json_schema(title="Cutline", version=__version__, description=DESCRIPTION)
    )
    made["components"]["securitySchemes"] = SECURITY
    for name in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):
        made["components"]["schemas"].pop(name, None)
    made["paths"] = dict(sorted(made["paths"].items()))
    _link(made["paths"])
    for path, operations in made["paths"].items():
        for operation in operations.values():
            _complete(path, operation)
    return json.dumps(made)


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Who may, and what can go wrong with any route."""
    responses = operation["responses"]
    responses.pop("422", None)  # powertools' own form of it
    public = "security" not in operation and operation["operationId"] in PUBLIC_OPERATIONS
    operation["security"] = [] if public else [{"oauth2": [SCOPE]}, {"bearer": []}]
    more: tuple[int, ...] = PUBLIC if public else ANY
    more += WITH_BODY if "requestBody" in operation else ()
    more += (422,) if any(each["in"] in {"query", "header"} for each in operation.get("parameters", ())) else ()
    more += (404,) if "{" in path else ()
    for status in more:
        responses.setdefault(str(status), _problem(status))
    for status in BODILESS & responses.keys():
        responses[status].pop("content", None)
    operation["responses"] = dict(sorted(responses.items()))


def _link(paths: dict[str, Any]) -> None:
    """What can be asked of that which a request has made."""
    for made, parameter, source in MADE:
        makers = [operation for operations in paths.values() for operation in operations.values()]
        takers = {
            operation["operationId"]: {"operationId": operation["operationId"], "parameters": {parameter: source}}
            for path, operations in paths.items()
            for operation in operations.values()
            if f"{{{parameter}}}" in path and operation["operationId"] != made
        }
        for operation in makers:
            if operation["operationId"] == made:
                success = next(status for status in operation["responses"] if status.startswith("2"))
                operation["responses"][success]["links"] = takers


MADE = (
    # operation that makes something, parameter of others that names it, where its answer has that
    ("submitExport", "export_id", "$response.body#/export_id"),
    ("createUpload", "upload_id", "$response.body#/upload_id"),
    ("createDestination", "destination_id", "$response.body#/destination_id"),
    ("putPreset", "name", "$response.body#/name"),
    ("createWebhook", "webhook_id", "$response.body#/webhook_id"),
)


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": TITLES.get(status) or HTTPStatus(status).phrase,
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
