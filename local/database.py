"""DynamoDB, one request at a time: moto looks at an item and changes it in two steps, and others could come between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from local.aws import ACCOUNT, REGION

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Database:
    """In front of moto's DynamoDB, a WSGI application."""

    def __init__(self, aws: Wsgi) -> None:
        self._aws = aws
        self._lock = threading.Lock()
        self.changes = 0
        """Requests so far, most of which change something"""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            self.changes += 1
            return list(self._aws(environ, start_response))

    def items(self, table: str) -> list[dict[str, Any]]:
        """All items as they are at one moment, in DynamoDB's own JSON."""
        with self._lock:
            return [item.to_json()["Attributes"] for item in _backend().tables[table].all_items()]

    def restore(self, table: str, items: Iterable[dict[str, Any]]) -> None:
        with self._lock:
            for item in items:
                _backend().tables[table].put_item(item, overwrite=True)


def _backend() -> Any:
    return dynamodb_backends[ACCOUNT][REGION]
