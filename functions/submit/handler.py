"""The HTTP API, behind API Gateway; and uploads that wait to be exported, by a queue."""

from __future__ import annotations

from typing import Any

from cutline.service.api.app import respond
from cutline.service.batches import each_message
from cutline.service.boundary import logger
from cutline.service.presets import export_message


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "Records" not in event:
        return respond(event, context)
    logger.append_keys(function="submit", request=getattr(context, "aws_request_id", None))
    return each_message(event, export_message)
