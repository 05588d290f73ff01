"""A receiver of webhooks on loopback, and the notices that lead to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cutline.models.notification import WebhookNotice
from cutline.settings import service
from cutline.store.clients import client
from tests.support.loopback import in_thread


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    """Names in lower case"""
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass
class Receiver:
    """Answers with the statuses in ``answers``, the last of them for ever."""

    answers: list[int] = field(default_factory=lambda: [204])
    headers: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    url: str = ""

    def answer(self) -> int:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def receiving(**how: Any) -> Iterator[Receiver]:
    receiver = Receiver(**how)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, content))
            self.send_response(receiver.answer())
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with in_thread(server) as url:
        receiver.url = f"{url}/in"
        yield receiver


def waiting() -> list[dict[str, Any]]:
    """The messages of the notify queue, those that are kept back included, with the seconds of that as ``delay``; they
    stay there."""
    from moto.sqs.models import sqs_backends

    queue = sqs_backends["123456789012"]["us-east-1"].queues[service().notify_queue.rpartition("/")[2]]
    return [
        {**json.loads(message.body), "delay": max(0, round((message.delayed_until - message.sent_timestamp) / 1000))}
        for message in queue._messages
    ]


def notices() -> list[WebhookNotice]:
    """Of ``waiting``."""
    fields = WebhookNotice.model_fields
    return [WebhookNotice(**{key: each[key] for key in fields}) for each in waiting() if each["kind"] == "webhook"]


def empty() -> None:
    client("sqs").purge_queue(QueueUrl=service().notify_queue)


Handle = Callable[[dict[str, Any], Any], Any]


def hand_over(handler: Handle, *messages: dict[str, Any]) -> list[str]:
    """Messages to a handler, each a batch of its own, as SQS does it; the ids of those that it could not use."""
    failed = []
    for number, message in enumerate(messages):
        record = {
            "messageId": str(number),
            "body": json.dumps(message),
            "attributes": {"ApproximateReceiveCount": "1"},
        }
        failed += [each["itemIdentifier"] for each in handler({"Records": [record]}, None)["batchItemFailures"]]
    return failed
