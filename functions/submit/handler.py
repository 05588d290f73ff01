"""The HTTP API, behind API Gateway."""

from __future__ import annotations

from typing import Any

from cutline.service.api.app import respond


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return respond(event, context)
