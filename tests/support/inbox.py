"""Files in the inbox, and the events by which functions are told of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cutline.settings import service
from cutline.store.clients import client


def put(key: str, content: Any) -> dict[str, Any]:
    """Put a file, and return what EventBridge would tell of it."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    client("s3").put_object(Bucket=service().inbox_bucket, Key=key, Body=body)
    return created(key)


def created(key: str) -> dict[str, Any]:
    """What EventBridge tells of an object that is there now."""
    bucket = service().inbox_bucket
    head = client("s3").head_object(Bucket=bucket, Key=key)
    thing = {"key": key, "size": head["ContentLength"], "etag": head["ETag"].strip('"'), "sequencer": "00617F08299329"}
    if version := head.get("VersionId"):
        thing["version-id"] = version
    return {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": bucket}, "object": thing},
    }


def deliver(handler: Callable[[dict[str, Any], Any], Any], *messages: dict[str, Any], tries: int = 1) -> list[str]:
    """Give a function a batch of messages; returns the positions of those that it wants again."""
    records = [
        {"messageId": str(number), "body": json.dumps(message), "attributes": {"ApproximateReceiveCount": str(tries)}}
        for number, message in enumerate(messages)
    ]
    return [each["itemIdentifier"] for each in handler({"Records": records}, None)["batchItemFailures"]]
