"""AWS's APIs when they are busy or broken: requests are heard, and answered in their stead.

moto in this process acts on a request whatever is answered; where that matters, use ``aws_server``.
"""

from __future__ import annotations

from collections.abc import Callable

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from cutline.store.clients import client
from tests.support.aws import spoil_clients


def asked(operation: str, service: str = "s3") -> list[AWSPreparedRequest]:
    """Filled with each request of this kind that is sent from now on."""
    found: list[AWSPreparedRequest] = []
    _before_sending(operation, found.append, service)
    return found


def _before_sending(operation: str, answer: Callable[[AWSPreparedRequest], AWSResponse | None], service: str) -> None:
    """Ask ``answer`` whenever such a request is sent; with None it is. (moto in this process acts in any case.)"""

    def handle(request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse | None:
        return answer(request) if event_name.endswith(f".{operation}") else None

    spoil_clients()
    client(service).meta.events.register_first("before-send", handle)


class _Raw:
    """The body of an answer, as urllib3 gives it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: object, **__: object) -> list[bytes]:
        return [self._content]


def refuse(operation: str, status: int, body: bytes, times: int, service: str = "s3") -> list[AWSResponse]:
    """Such requests are answered so, so many times. Returns the answers that are left: clear them, and all is well."""
    left = [AWSResponse("https://s3", status, {}, _Raw(body)) for _ in range(times)]
    _before_sending(operation, lambda _: left.pop() if left else None, service)
    return left


THROTTLED = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
INSIDE_200 = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
