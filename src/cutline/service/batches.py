"""Messages of a queue, each by itself: one that fails does not bring the others back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cutline.service.boundary import logger


def each_message(event: Mapping[str, Any], act: Callable[[dict[str, Any], int], object]) -> dict[str, Any]:
    """Call ``act`` with each message of an SQS batch, and with how often that has been given out. Returns which to give
    out again, as Lambda wants it."""
    failed = []
    for message in event["Records"]:
        try:
            act(json.loads(message["body"]), int(message["attributes"]["ApproximateReceiveCount"]))
        except Exception:  # whatever it is, the queue counts how often, and keeps what never works
            logger.exception("a message failed", extra={"message_id": message["messageId"]})
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}
