"""S3 has written an access log (S3 -> EventBridge -> SQS): the bytes that left are counted."""

from __future__ import annotations

from typing import Any

from cutline.service.batches import each_message
from cutline.service.boundary import logger
from cutline.service.metering import meter_message


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    logger.append_keys(function="meter", request=getattr(context, "aws_request_id", None))
    return each_message(event, meter_message)
