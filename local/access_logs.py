"""S3's server access logs: what was asked of a bucket, as objects of many lines in another one.

Only requests by signed links are written: of those alone somebody here reads (functions/meter). S3 writes within hours,
this within a second.
"""

from __future__ import annotations

import datetime as dt
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from botocore.exceptions import BotoCoreError, ClientError
from werkzeug.wrappers import Request, Response

from local.aws import ACCOUNT
from local.objects import Wsgi
from local.signatures import raw_path

WRITE_SECONDS = 1.0


class Target(NamedTuple):
    """Where a bucket's logs go."""

    bucket: str
    prefix: str


class AccessLogs:
    """Of some buckets. Collects lines until it is time to write them."""

    def __init__(self, s3: Any, targets: Mapping[str, Target]) -> None:
        self._s3, self._targets = s3, targets
        self._lines: dict[Target, list[str]] = {}
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._write_on, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Everything is written."""
        self._stopping.set()
        self._thread.join()
        self._write()

    def noting(self, request: Request, answer: Response | Wsgi) -> Response | Wsgi:
        """``answer``, of which a line is written once it has been sent."""
        bucket, _, key = unquote(raw_path(request)).lstrip("/").partition("/")
        target = self._targets.get(bucket)
        if target is None or not key or "X-Amz-Signature" not in request.args:
            return answer

        def noted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            begun, status = time.monotonic(), ""

            def start(said: str, headers: Any, *more: Any) -> Any:
                nonlocal status
                status = said[:3]
                return start_response(said, headers, *more)

            def done(sent: int) -> None:
                took = round(1000 * (time.monotonic() - begun))
                self._add(target, _line(request, bucket, key, status=status, sent=sent, took=took))

            return _counted(answer(environ, start), done)

        return noted

    def _add(self, target: Target, line: str) -> None:
        with self._lock:
            self._lines.setdefault(target, []).append(line)

    def _write_on(self) -> None:
        while not self._stopping.wait(WRITE_SECONDS):
            self._write()

    def _write(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, {}
        for target, each in lines.items():
            name = f"{target.prefix}{dt.datetime.now(dt.UTC):%Y-%m-%d-%H-%M-%S}-{secrets.token_hex(8).upper()}"
            try:
                self._s3.put_object(Bucket=target.bucket, Key=name, Body="".join(each).encode())
            except (BotoCoreError, ClientError):  # where AWS is to fail now and then; the next log has them
                for line in each:
                    self._add(target, line)


def _counted(pieces: Iterable[bytes], done: Callable[[int], None]) -> Iterator[bytes]:
    """``pieces``; then ``done`` is told how many bytes were taken, also by someone who hangs up."""
    sent = 0
    try:
        for piece in pieces:
            yield piece
            sent += len(piece)
    finally:
        if hasattr(pieces, "close"):
            pieces.close()
        done(sent)


def _line(request: Request, bucket: str, key: str, *, status: str, sent: int, took: int) -> str:
    """In S3's format, which encodes keys twice; "-" for what is unknown here. ``took``: milliseconds."""
    target = raw_path(request) + f"?{request.query_string.decode(errors='replace')}"
    agent = request.headers.get("User-Agent", "-").replace('"', "%22")
    fields = (
        *(ACCOUNT, bucket, f"[{dt.datetime.now(dt.UTC):%d/%b/%Y:%H:%M:%S +0000}]", request.remote_addr, ACCOUNT),
        *(secrets.token_hex(8).upper(), f"REST.{request.method}.OBJECT", quote(quote(key))),
        *(f'"{request.method} {target} HTTP/1.1"', status, "-", sent or "-", "-", took, took, '"-"', f'"{agent}"'),
        *("-", "-", "SigV4", "-", "QueryString", request.host, "-", "-", "-"),
    )
    return " ".join(map(str, fields)) + "\n"
