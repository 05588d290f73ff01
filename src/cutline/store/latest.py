"""Everybody's exports, for those who look after all of them: the index by status, one status or all merged.

What came to its status last is first, for by that the index is sorted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from cutline.models.record import ExportRecord, Status
from cutline.store.clients import client
from cutline.store.items import typed
from cutline.store.pages import place_of, text_of
from cutline.store.records import record_of

Place = tuple[str, str]
"""When it came to its status, and its id"""
LAST = "9999"
"""After any time, as text"""
SPARE = 25
"""Read beyond a page: those of one millisecond come in no order of ours, and never are that many"""


def latest(
    table: str, *, status: Status | None, limit: int, cursor: str | None
) -> tuple[list[ExportRecord], str | None]:
    """A page of all owners' exports, and where to go on. Raises InvalidRequest for a cursor that is none.

    An export that comes to another status between two pages moves to the front, and is not on the second.
    """
    before = (LAST, "") if cursor is None else place_of(cursor)
    found = [
        placed
        for each in ([status] if status else get_args(Status))
        for placed in _with_status(table, each, before[0], limit + SPARE)
        if placed[0] < before
    ]
    found.sort(key=lambda placed: placed[0], reverse=True)
    page = found[:limit]
    return [record for _, record in page], text_of(page[-1][0]) if len(found) > limit else None


def _with_status(table: str, status: Status, until: str, limit: int) -> Iterator[tuple[Place, ExportRecord]]:
    """The last of one status, each with its place in the order."""
    answer = client("dynamodb").query(
        TableName=table,
        IndexName="gsi2",
        KeyConditionExpression="gsi2pk = :status AND gsi2sk <= :until",
        ExpressionAttributeValues=typed({":status": f"STATUS#{status}", ":until": until}),
        ScanIndexForward=False,
        Limit=limit,
    )
    for item in answer["Items"]:
        record = record_of(item)
        yield (item["gsi2sk"]["S"], record.export_id), record
