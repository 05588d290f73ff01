"""The exports table: every export with its tiles, deliveries and events.

One partition an export; what a person may ask for in one question is one query::

    EXPORT#id  META                  the record         gsi1 OWNER#sub, created_at#id    gsi2 STATUS#s, updated_at
               TILE#row#col          done, empty        FAILURE#attempt#child   what RecordTileFailure wrote
               DELIVERY#id           one target         EVENT#at#random         who did what
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from cutline.errors import Conflict, NotFound
from cutline.failures import failure_of
from cutline.models.record import (
    ENDED,
    RUNNING,
    DeliveryRecord,
    Event,
    ExportRecord,
    Failure,
    GivenUp,
    Status,
    TileRecord,
    now,
)
from cutline.store.clients import client
from cutline.store.faults import REFUSED
from cutline.store.items import META, Item, item_of, model_of, plain, stamp, typed
from cutline.store.pages import cursor_of, start_of

READ_AT_ONCE = 100
"""Exports, where a list is of one status"""
MOST_READS = 5
"""Before such a list is given as far as it is"""


def export_key(export_id: str, part: str = META) -> Item:
    return typed({"pk": f"EXPORT#{export_id}", "sk": part})


class Records:
    """The table, as exports see it."""

    def __init__(self, table: str) -> None:
        self.table = table
        self._db = client("dynamodb")

    # An export -------------------------------------------------------------------------------------------------

    def item(self, record: ExportRecord) -> Item:
        """A record with all keys it is found by."""
        return item_of(
            record,
            pk=f"EXPORT#{record.export_id}",
            sk=META,
            gsi1pk=f"OWNER#{record.owner}",
            gsi1sk=f"{stamp(record.created_at)}#{record.export_id}",
            gsi2pk=f"STATUS#{record.status}",
            gsi2sk=stamp(record.updated_at),
        )

    def get(self, export_id: str) -> ExportRecord:
        """Raises NotFound."""
        found = self._db.get_item(TableName=self.table, Key=export_key(export_id), ConsistentRead=True).get("Item")
        if not found:
            raise NotFound(f"there is no export {export_id}")
        return record_of(found)

    def move(
        self, record: ExportRecord, status: Status, *, earlier: Sequence[Status] = RUNNING, **changes: Any
    ) -> ExportRecord:
        """Give ``record`` another ``status`` and other attributes, if its attempt is still the latest and its status
        one of the ``earlier``. Raises Conflict where it is not, and NotFound."""
        return self._update(record, {**changes, "status": status}, earlier)

    def begin_deleting(self, record: ExportRecord) -> ExportRecord:
        """From now on it cannot be tried again. Raises Conflict where it runs, or another attempt has begun."""
        return self._update(record, {"deleted_at": stamp(now())}, ENDED)

    def change(self, record: ExportRecord, **changes: Any) -> ExportRecord:
        """Other attributes than the status, whatever that is. Raises Conflict where another attempt has begun."""
        return self._update(record, changes, None)

    def _update(
        self, record: ExportRecord, changes: dict[str, Any], earlier: Sequence[Status] | None, *, condition: str = ""
    ) -> ExportRecord:
        at = stamp(now())
        changes = {key: _json(value) for key, value in changes.items()} | {"updated_at": at}
        if "status" in changes:
            changes |= {"gsi2pk": f"STATUS#{changes['status']}", "gsi2sk": at}
        gone = [name for name, value in changes.items() if value is None]
        kept = {name: value for name, value in changes.items() if value is not None}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in kept)
        expression += " REMOVE " + ", ".join(f"#{name}" for name in gone) if gone else ""
        condition = "attribute_exists(pk) AND attempt = :_attempt" + condition
        values: dict[str, Any] = {"_attempt": record.attempt}
        names = {f"#{name}": name for name in changes}
        if earlier is not None:
            condition += " AND #status IN (" + ", ".join(f":_{status}" for status in earlier) + ")"
            values |= {f"_{status}": status for status in earlier}
            names["#status"] = "status"
        try:
            answer = self._db.update_item(
                TableName=self.table,
                Key=export_key(record.export_id),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={f":{name}": value for name, value in typed({**kept, **values}).items()},
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == REFUSED:
                known = self.get(record.export_id)
                state = "being deleted" if known.deleted_at else f"{known.status} in attempt {known.attempt}"
                raise Conflict(f"export {record.export_id} is {state}") from error
            raise
        return record_of(answer["Attributes"])

    def begin_again(self, record: ExportRecord) -> ExportRecord:
        """The next attempt of an export that came to nothing; a COG that is already made stays. Raises Conflict where
        it has not ended so, the next attempt has begun, or it is being deleted."""
        counts = dict.fromkeys(("billed_ms", "tiles_done", "pixels_done", "pixels_rendered"), 0)
        fresh = {"error": None, "rendering_at": None, "retried_at": stamp(now()), **counts}
        return self._update(
            record,
            {**fresh, "attempt": record.attempt + 1, "status": "PENDING"},
            ("ERROR", "CANCELLED"),
            condition=" AND attribute_not_exists(deleted_at)",
        )

    def delete(self, export_id: str) -> None:
        """The export and all that is kept of it in the table; its record goes last, so that one can try again, and
        what was written meanwhile after it."""
        self._delete_parts(export_id)
        self._db.delete_item(TableName=self.table, Key=export_key(export_id))
        self._delete_parts(export_id)

    def _delete_parts(self, export_id: str) -> None:
        for item in self._query(f"EXPORT#{export_id}", "", ProjectionExpression="pk, sk"):
            if item["sk"]["S"] != META:
                self._db.delete_item(TableName=self.table, Key={"pk": item["pk"], "sk": item["sk"]})

    def forget_request(self, record: ExportRecord) -> None:
        """What led to this export leads to a new one from now on, unless it leads to another already."""
        for key in record.idempotency:
            try:
                self._db.delete_item(
                    TableName=self.table,
                    Key=typed({"pk": key, "sk": META}),
                    ConditionExpression="export_id = :id",
                    ExpressionAttributeValues=typed({":id": record.export_id}),
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != REFUSED:
                    raise

    def mark_notified(self, record: ExportRecord) -> bool:
        """Whether the end of this attempt is still to be told; from now on it is not."""
        try:
            self._db.update_item(
                TableName=self.table,
                Key=export_key(record.export_id),
                UpdateExpression="SET notified = :attempt",
                ConditionExpression="attempt = :attempt AND (attribute_not_exists(notified) OR notified < :attempt)",
                ExpressionAttributeValues=typed({":attempt": record.attempt}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
            return False
        return True

    def unmark_notified(self, record: ExportRecord) -> None:
        """It was not told after all, and may be again."""
        self._db.update_item(
            TableName=self.table,
            Key=export_key(record.export_id),
            UpdateExpression="SET notified = :before",
            ConditionExpression="notified = :attempt",
            ExpressionAttributeValues=typed({":before": record.attempt - 1, ":attempt": record.attempt}),
        )

    def with_status(self, status: Status, since: dt.datetime, until: dt.datetime) -> Iterator[ExportRecord]:
        """Exports in this status whose records changed last in this time."""
        pages = self._db.get_paginator("query").paginate(
            TableName=self.table,
            IndexName="gsi2",
            KeyConditionExpression="gsi2pk = :status AND gsi2sk BETWEEN :since AND :until",
            ExpressionAttributeValues=typed(
                {":status": f"STATUS#{status}", ":since": stamp(since), ":until": stamp(until)}
            ),
        )
        for page in pages:
            yield from map(record_of, page["Items"])

    def of_owner(
        self, owner: str, *, status: Status | None = None, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[ExportRecord], str | None]:
        """The owner's exports, newest first, and where to go on; of a status, that may be after fewer than ``limit``,
        or none. Raises InvalidRequest for a cursor that is none."""
        found: list[ExportRecord] = []
        last: Item | None = None
        start = start_of(cursor, f"OWNER#{owner}")
        for _ in range(MOST_READS):
            answer = self._db.query(
                TableName=self.table,
                IndexName="gsi1",
                KeyConditionExpression="gsi1pk = :owner",
                ExpressionAttributeValues=typed({":owner": f"OWNER#{owner}"}),
                ScanIndexForward=False,
                Limit=limit if status is None else READ_AT_ONCE,
                **({"ExclusiveStartKey": start} if start else {}),
            )
            start = answer.get("LastEvaluatedKey")
            for item in answer["Items"]:
                record = record_of(item)
                if status not in (None, record.status):
                    continue
                if len(found) == limit:
                    return found, cursor_of(last)
                found.append(record)
                last = item
            if not start or len(found) == limit:
                break
        return found, cursor_of(start)

    # Its parts -------------------------------------------------------------------------------------------------

    def put_tile(self, export_id: str, tile: TileRecord) -> None:
        """What became of a tile, counted in the export's record. One that its attempt has finished stays as it was
        recorded first, and what an earlier attempt says does not count any more.

        Should this die half-way, a tile too few is counted: progress is a picture, and assembling looks for itself.
        """
        key = export_key(export_id, f"TILE#{tile.row:05d}#{tile.col:05d}")
        finished = tile.state != "failed"
        counted = {"billed_ms": tile.billed_ms}
        if self._put_first(key, tile) and finished:
            rendered = 0 if tile.reused else tile.pixels
            counted |= {"tiles_done": 1, "pixels_done": tile.pixels, "pixels_rendered": rendered}
        if not self._count(export_id, tile.attempt, counted):
            self._expire_if_gone(key)

    def _put_first(self, key: Item, tile: TileRecord) -> bool:
        """Whether the tile's record is ``tile`` from now on."""
        condition = "attribute_not_exists(pk) OR attempt < :attempt OR (attempt = :attempt AND #state = :failed)"
        try:
            self._db.put_item(
                TableName=self.table,
                Item=item_of(tile) | key,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=typed({":attempt": tile.attempt, ":failed": "failed"}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
            return False
        return True

    def _count(self, export_id: str, attempt: int, counted: dict[str, int]) -> bool:
        """Add to what the record counts. False where this attempt is not its latest any more, or it is gone."""
        added = {name: number for name, number in counted.items() if number}
        if not added:
            return True
        try:
            self._db.update_item(
                TableName=self.table,
                Key=export_key(export_id),
                UpdateExpression="ADD " + ", ".join(f"{name} :{name}" for name in added),
                ConditionExpression="attempt = :attempt",
                ExpressionAttributeValues=typed(
                    {":attempt": attempt, **{f":{name}": number for name, number in added.items()}}
                ),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
            return False
        return True

    def _expire_if_gone(self, key: Item) -> None:
        """Leave a part that was written of an export that has been deleted meanwhile to DynamoDB, which removes it in
        a day or two: who writes parts need not have the right to delete."""
        record = {"pk": key["pk"], **typed({"sk": META})}
        answer = self._db.get_item(TableName=self.table, Key=record, ConsistentRead=True, ProjectionExpression="pk")
        if "Item" not in answer:
            self._db.update_item(
                TableName=self.table,
                Key=key,
                UpdateExpression="SET #ttl = :now",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=typed({":now": int(time.time())}),
            )

    def tiles(self, export_id: str, attempt: int) -> Iterator[TileRecord]:
        """Those of one attempt that are finished or have failed."""
        for item in self._query(f"EXPORT#{export_id}", "TILE#"):
            tile = model_of(TileRecord, item)
            if tile.attempt == attempt:
                yield tile

    def failures(self, export_id: str, attempt: int) -> Iterator[Failure]:
        """Why children of the map gave up."""
        for item in self._query(f"EXPORT#{export_id}", f"FAILURE#{attempt}#"):
            error = json.loads(plain(item)["error"])
            yield failure_of(error["Error"], error.get("Cause", ""))

    def given_up(self, export_id: str, attempt: int) -> Iterator[GivenUp]:
        """What children of the map gave up."""
        for item in map(plain, self._query(f"EXPORT#{export_id}", f"FAILURE#{attempt}#")):
            error = json.loads(item["error"])
            why = failure_of(error["Error"], error.get("Cause", ""))
            yield GivenUp(at=item["at"], tiles=json.loads(item["tiles"]), error=why)

    def put_delivery(self, export_id: str, delivery: DeliveryRecord) -> None:
        keys = {"pk": f"EXPORT#{export_id}", "sk": f"DELIVERY#{delivery.delivery_id}"}
        self._db.put_item(TableName=self.table, Item=item_of(delivery, **keys))

    def deliveries(self, export_id: str) -> Iterator[DeliveryRecord]:
        return (model_of(DeliveryRecord, item) for item in self._query(f"EXPORT#{export_id}", "DELIVERY#"))

    def add_event(self, export_id: str, event: Event, *, once: str | None = None) -> None:
        """Two at the same time are two events, unless they have the same word for ``once``."""
        key = export_key(export_id, f"EVENT#{stamp(event.at)}#{once or secrets.token_hex(4)}")
        self._db.put_item(TableName=self.table, Item=item_of(event) | key)
        self._expire_if_gone(key)

    def events(self, export_id: str) -> Iterator[Event]:
        return (model_of(Event, item) for item in self._query(f"EXPORT#{export_id}", "EVENT#"))

    def _query(self, pk: str, part: str, **more: Any) -> Iterator[Item]:
        pages = self._db.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk" + (" AND begins_with(sk, :part)" if part else ""),
            ExpressionAttributeValues=typed({":pk": pk, **({":part": part} if part else {})}),
            ConsistentRead=True,
            **more,
        )
        for page in pages:
            yield from page["Items"]


def record_of(item: Item) -> ExportRecord:
    """The record that an item of the table, or of an index, is."""
    attributes = plain(item)
    if isinstance(attributes.get("error"), str):  # as MarkError writes it, which can only copy what was caught
        error = json.loads(attributes["error"])
        attributes["error"] = failure_of(error["Error"], error.get("Cause", "")).model_dump()
    return ExportRecord.model_validate(
        {key: value for key, value in attributes.items() if key in ExportRecord.model_fields}
    )


def _json(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
