"""EventBridge's scheduled rules, which moto keeps but never fires."""

from __future__ import annotations

import datetime as dt
import json
import threading
import uuid
from collections.abc import Sequence
from typing import Any

from local.aws import ACCOUNT, REGION


class Schedule:
    """Sends its event to queues, every so many seconds."""

    def __init__(self, sqs: Any, name: str, seconds: float, queues: Sequence[str]) -> None:
        """``queues``: their URLs."""
        self._sqs, self._name, self._seconds, self._queues = sqs, name, seconds, queues
        self._stopping = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            for queue in self._queues:
                self._sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(self._event()))

    def _event(self) -> dict[str, Any]:
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{self._name}"],
            "detail": {},
        }
