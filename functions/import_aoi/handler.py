"""A vector file has come into the inbox (S3 -> EventBridge -> SQS): it becomes an area and findings."""

from __future__ import annotations

from typing import Any

from cutline.service.batches import each_message
from cutline.service.boundary import logger
from cutline.service.importing import import_message


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    logger.append_keys(function="import_aoi", request=getattr(context, "aws_request_id", None))
    return each_message(event, import_message)
