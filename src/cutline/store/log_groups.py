"""What the functions wrote, in CloudWatch Logs: one group for each function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from cutline.store.clients import client


class Written(NamedTuple):
    """One line."""

    at: int
    """Milliseconds since 1970"""
    id: str
    text: str


def written(group: str, term: str, since: int, until: int) -> Iterator[Written]:
    """Lines with ``term`` in them, oldest first, of this time (milliseconds since 1970, inclusive). None where nothing
    was ever written."""
    api: Any = client("logs")
    try:
        for page in api.get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern=f'"{term}"', startTime=since, endTime=until
        ):
            for event in page["events"]:
                yield Written(event["timestamp"], event["eventId"], event["message"])
    except api.exceptions.ResourceNotFoundException:
        return
