"""A vector file has come into the inbox: it becomes an area and findings.

In: an SQS batch whose messages are S3's "Object Created" events. Out: the messages to give out again.
"""

from __future__ import annotations

import json
from typing import Any

from cutline.service.boundary import logger
from cutline.service.importing import created_of, import_created


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Read each file apart from the others: one that fails does not bring the batch back."""
    failed = []
    for message in event["Records"]:
        logger.append_keys(function="import_aoi", request=getattr(context, "aws_request_id", None))
        tries = int(message.get("attributes", {}).get("ApproximateReceiveCount", 1))
        try:
            for created in created_of(json.loads(message["body"])):
                import_created(created, tries=tries)
        except Exception:  # whatever it is, the queue counts how often, and keeps what never works
            logger.exception("a message failed", extra={"message_id": message["messageId"]})
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}
