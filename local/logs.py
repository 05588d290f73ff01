"""What functions write, as CloudWatch Logs shows it: group /aws/lambda/{function}, a stream for each slot."""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

BATCH_SECONDS = 0.2


class Line(NamedTuple):
    function: str
    stream: str
    at: int
    """Milliseconds since 1970"""
    text: str


class Logs:
    """Takes lines from any thread, and brings them to moto in batches."""

    def __init__(self, client: Any, functions: Iterable[str]) -> None:
        self._client = client
        self._lines: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        self._streams: set[tuple[str, str]] = set()
        for function in functions:
            client.create_log_group(logGroupName=f"/aws/lambda/{function}")
        self._thread = threading.Thread(target=self._bring, daemon=True)
        self._thread.start()

    def tell(self, function: str, stream: str, text: str) -> None:
        if text:
            self._lines.put(Line(function, stream, int(time.time() * 1000), text))

    def close(self) -> None:
        """After the last line."""
        self._lines.put(None)
        self._thread.join()

    def _bring(self) -> None:
        while (first := self._lines.get()) is not None:
            time.sleep(BATCH_SECONDS)
            batch: list[Line | None] = [first]
            while not self._lines.empty():
                batch.append(self._lines.get())
            self._put([line for line in batch if line])
            if None in batch:
                return

    def _put(self, lines: list[Line]) -> None:
        by_stream: dict[tuple[str, str], list[Line]] = defaultdict(list)
        for line in lines:
            by_stream[line.function, line.stream].append(line)
        for (function, stream), some in by_stream.items():
            group = f"/aws/lambda/{function}"
            if (function, stream) not in self._streams:
                self._client.create_log_stream(logGroupName=group, logStreamName=stream)
                self._streams.add((function, stream))
            for first in range(0, len(some), 1000):
                self._client.put_log_events(
                    logGroupName=group,
                    logStreamName=stream,
                    logEvents=[{"timestamp": line.at, "message": line.text} for line in some[first : first + 1000]],
                )
