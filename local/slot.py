"""One execution environment of a function: a process of Lambda's own runtime client, and the Runtime API it asks.

A slot runs one invocation at a time. It is killed when that takes longer than the function may, and begins anew with
the next one; what happens then is what Lambda tells its callers.
"""

from __future__ import annotations

import datetime as dt
import json
import queue
import signal
import socketserver
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

from local.process import Process

INIT_SECONDS = 60
"""A process may take so long to import its handler; on a busy machine more than Lambda's ten"""

API = "/2018-06-01/runtime/"


class Stopping(Exception):
    """Nothing is started any more."""


@dataclass(frozen=True)
class Answer:
    """What an invocation came to."""

    payload: bytes
    failed: bool = False


@dataclass
class Invocation:
    """One event on its way through a slot."""

    payload: bytes
    seconds: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    news: queue.SimpleQueue[tuple[Literal["taken", "answered", "refused", "died"], Answer | str]] = field(
        default_factory=queue.SimpleQueue
    )


class Slot:
    """See the module."""

    def __init__(self, name: str, arn: str, environment: dict[str, str], tell: Callable[[str, str], None]) -> None:
        """``tell(stream, line)`` gets what the function writes."""
        self.name, self.arn = name, arn
        self.stream = f"{dt.datetime.now(dt.UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        self._environment = environment
        self._tell = tell
        self._waiting: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._current: Invocation | None = None
        self._process: Process | None = None
        self._lock = threading.Lock()
        """Of what process there is, and what it works on"""
        self._closed = False
        self._runtime = _RuntimeApi(self)

    @property
    def pid(self) -> int | None:
        """Of the process, while it lives."""
        return self._process.pid if self._process and self._process.lives else None

    @property
    def busy(self) -> bool:
        return self._current is not None

    def warm(self) -> None:
        """Start the process where there is none."""
        with self._lock:
            self._ensure()

    def run(self, invocation: Invocation) -> Answer:
        """The answer, or how the process failed to give one."""
        began = time.monotonic()
        self.log(f"START RequestId: {invocation.id} Version: $LATEST")
        with self._lock:
            self._ensure()
            self._current = invocation
            self._waiting.put(invocation)
        try:
            return self._outcome(invocation)
        finally:
            self._current = None
            duration = (time.monotonic() - began) * 1000
            self.log(f"END RequestId: {invocation.id}")
            self.log(
                f"REPORT RequestId: {invocation.id}\tDuration: {duration:.2f} ms\tBilled Duration: {duration:.0f} ms"
                f"\tMemory Size: {self._environment['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']} MB"
            )

    def log(self, line: str) -> None:
        self._tell(self.stream, line)

    def kill(self) -> None:
        """End the process and what it started."""
        if self._process and self._process.lives:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """No process is left, and none will be started."""
        with self._lock:
            self._closed = True
        self._waiting.put(None)
        self.kill()
        self._runtime.close()

    def _outcome(self, invocation: Invocation) -> Answer:
        allowed: float = INIT_SECONDS
        while True:
            try:
                what, told = invocation.news.get(timeout=allowed)
            except queue.Empty:
                self.kill()
                at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                message = f"{at} {invocation.id} Task timed out after {invocation.seconds:.2f} seconds"
                self.log(message)
                return _failure("Sandbox.Timedout", message)
            if what == "taken":
                allowed = invocation.seconds
            elif isinstance(told, Answer):
                if what == "refused":  # the process is about to end
                    self.kill()
                return told
            else:
                return _failure("Runtime.ExitError", f"RequestId: {invocation.id} Error: {told}")

    def _ensure(self) -> None:
        if self._closed:
            raise Stopping
        if self.pid is not None:
            return
        # What an earlier process still waits for must not reach it.
        self._waiting.put(None)
        self._waiting = queue.SimpleQueue()
        self._process = process = Process(
            {
                **self._environment,
                "AWS_LAMBDA_RUNTIME_API": self._runtime.address,
                "AWS_LAMBDA_LOG_STREAM_NAME": self.stream,
            }
        )
        for watch in (self._listen, self._await_end):
            threading.Thread(target=watch, args=(process,), daemon=True).start()

    def _listen(self, process: Process) -> None:
        """Pass on what the process writes."""
        for line in process.lines():
            self.log(line)

    def _await_end(self, process: Process) -> None:
        """Tell who waits for an answer of the process that none will come."""
        status = process.wait()
        how = f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        with self._lock:
            if self._current and self._process is process:
                self._current.news.put(("died", f"Runtime exited with error: {how}"))

    # What the process asks -------------------------------------------------------------------------------------

    def next(self) -> Invocation | None:
        invocation = self._waiting.get()
        if invocation:
            invocation.news.put(("taken", ""))
        return invocation

    def answered(self, request_id: str, answer: Answer) -> None:
        if (invocation := self._current) and invocation.id == request_id:
            invocation.news.put(("answered", answer))

    def refused(self, body: bytes) -> None:
        """The handler could not even be imported."""
        with self._lock:  # it may come before the invocation that the process was started for
            invocation = self._current
        if invocation:
            invocation.news.put(("refused", Answer(body, failed=True)))


class _RuntimeApi(socketserver.ThreadingTCPServer):
    """What the runtime client asks for events and tells answers."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        super().__init__(("127.0.0.1", 0), _RuntimeRequest)
        self.address = f"127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A process that was killed no longer listens; its slot knows."""


class _RuntimeRequest(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise every answer waits 40 ms for an acknowledgement
    server: _RuntimeApi

    def do_GET(self) -> None:
        invocation = self.server.slot.next()
        if invocation is None:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", invocation.id)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + invocation.seconds) * 1000)))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", self.server.slot.arn)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(invocation.payload)))
        self.end_headers()
        self.wfile.write(invocation.payload)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        *_, request_id, what = self.path.removeprefix(API).split("/")
        if request_id == "init":
            self.server.slot.refused(body)
        else:
            self.server.slot.answered(request_id, Answer(body, failed=what == "error"))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def _failure(kind: str, message: str) -> Answer:
    return Answer(json.dumps({"errorType": kind, "errorMessage": message}).encode(), failed=True)
