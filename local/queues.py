"""Lambda's event source mappings: functions that are given what arrives in queues."""

from __future__ import annotations

import json
import threading
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.aws import REGION
from local.functions import Function
from local.slot import Stopping

WAIT_SECONDS = 5
"""How long one question to a queue may wait for messages"""

PAUSE_SECONDS = 0.05


class Poller:
    """One queue and its function. What the function fails on comes back when its visibility ends, and goes to the dead
    letters in the end: that is the queue's doing."""

    def __init__(self, sqs: Any, url: str, arn: str, function: Function, *, batch: int, partial: bool) -> None:
        self._sqs, self._url, self._arn, self._function = sqs, url, arn, function
        self._batch, self._partial = batch, partial
        self._stopping = threading.Event()
        threading.Thread(target=self._poll, daemon=True).start()

    def close(self) -> None:
        self._stopping.set()

    def _poll(self) -> None:
        while not self._stopping.wait(PAUSE_SECONDS):
            try:
                messages = self._sqs.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=min(self._batch, 10),
                    WaitTimeSeconds=WAIT_SECONDS,
                    AttributeNames=["All"],
                ).get("Messages", [])
                if messages:
                    self._hand_over(messages)
            except (BotoCoreError, ClientError, Stopping):  # the service is stopping, or the machine is too busy
                self._stopping.wait(WAIT_SECONDS)

    def _hand_over(self, messages: list[dict[str, Any]]) -> None:
        answer = self._function.invoke(json.dumps({"Records": [self._record(each) for each in messages]}).encode())
        if answer.failed:
            return
        told = json.loads(answer.payload or b"null") if self._partial else None
        failed = {each["itemIdentifier"] for each in (told or {}).get("batchItemFailures", ())}
        for message in messages:
            if message["MessageId"] not in failed:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._arn,
            "awsRegion": REGION,
        }
