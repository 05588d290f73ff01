"""The exports table: every export with its tiles, deliveries and events.

One partition an export; what a person may ask for in one question is one query::

    EXPORT#id  META                  the record         gsi1 OWNER#sub, created_at#id    gsi2 STATUS#s, updated_at
               TILE#row#col          done, empty        FAILURE#attempt#child   what RecordTileFailure wrote
               DELIVERY#id           one target         EVENT#at#random         who did what
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from cutline.errors import Conflict, InvalidRequest, NotFound
from cutline.models.record import (
    RUNNING,
    DeliveryRecord,
    Event,
    ExportRecord,
    Failure,
    Status,
    TileRecord,
    now,
)
from cutline.store.clients import client
from cutline.store.items import Item, item_of, model_of, plain, typed

META = "META"
REFUSED = "ConditionalCheckFailedException"


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
            gsi1sk=f"{_instant(record)}#{record.export_id}",
            gsi2pk=f"STATUS#{record.status}",
            gsi2sk=record.model_dump(mode="json")["updated_at"],
        )

    def create(self, record: ExportRecord) -> None:
        """Raises Conflict where the id is taken."""
        try:
            self._db.put_item(
                TableName=self.table, Item=self.item(record), ConditionExpression="attribute_not_exists(pk)"
            )
        except ClientError as error:
            raise _told(error, f"export {record.export_id} exists already") from error

    def get(self, export_id: str) -> ExportRecord:
        """Raises NotFound."""
        found = self._db.get_item(TableName=self.table, Key=export_key(export_id), ConsistentRead=True).get("Item")
        if not found:
            raise NotFound(f"there is no export {export_id}")
        return _record(found)

    def move(
        self, record: ExportRecord, status: Status, *, earlier: Sequence[Status] = RUNNING, **changes: Any
    ) -> ExportRecord:
        """Give ``record`` another ``status`` and other attributes, if its attempt is still the latest and its status
        one of the ``earlier``. Raises Conflict where it is not, and NotFound."""
        return self._update(record, {**changes, "status": status}, earlier)

    def change(self, record: ExportRecord, **changes: Any) -> ExportRecord:
        """Other attributes than the status, whatever that is. Raises Conflict where another attempt has begun."""
        return self._update(record, changes, None)

    def _update(self, record: ExportRecord, changes: dict[str, Any], earlier: Sequence[Status] | None) -> ExportRecord:
        at = now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        changes = {key: _json(value) for key, value in changes.items()} | {"updated_at": at}
        if "status" in changes:
            changes |= {"gsi2pk": f"STATUS#{changes['status']}", "gsi2sk": at}
        gone = [name for name, value in changes.items() if value is None]
        kept = {name: value for name, value in changes.items() if value is not None}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in kept)
        expression += " REMOVE " + ", ".join(f"#{name}" for name in gone) if gone else ""
        condition = "attribute_exists(pk) AND attempt = :_attempt"
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
                raise Conflict(f"export {record.export_id} is {known.status} in attempt {known.attempt}") from error
            raise
        return _record(answer["Attributes"])

    def add_billed(self, record: ExportRecord, milliseconds: int) -> int:
        """Count Lambda time; returns all so far."""
        answer = self._db.update_item(
            TableName=self.table,
            Key=export_key(record.export_id),
            UpdateExpression="ADD billed_ms :more",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues=typed({":more": milliseconds}),
            ReturnValues="UPDATED_NEW",
        )
        return int(plain(answer["Attributes"])["billed_ms"])

    def delete(self, export_id: str) -> None:
        """The export and all that is kept of it in the table."""
        for item in self._query(f"EXPORT#{export_id}", "", ProjectionExpression="pk, sk"):
            self._db.delete_item(TableName=self.table, Key={"pk": item["pk"], "sk": item["sk"]})

    def of_owner(
        self, owner: str, *, status: Status | None = None, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[ExportRecord], str | None]:
        """The owner's exports, newest first, and where to go on. Raises InvalidRequest for a cursor that is none."""
        found: list[ExportRecord] = []
        start = _from_cursor(cursor, owner)
        while True:
            answer = self._db.query(
                TableName=self.table,
                IndexName="gsi1",
                KeyConditionExpression="gsi1pk = :owner",
                ExpressionAttributeValues=typed({":owner": f"OWNER#{owner}"}),
                ScanIndexForward=False,
                Limit=max(limit - len(found), 1),
                **({"ExclusiveStartKey": start} if start else {}),
            )
            records = [_record(item) for item in answer["Items"]]
            found += [record for record in records if status in (None, record.status)]
            start = answer.get("LastEvaluatedKey")
            if not start or len(found) >= limit:
                return found, _cursor(start)

    # Its parts -------------------------------------------------------------------------------------------------

    def put_tile(self, export_id: str, tile: TileRecord) -> None:
        keys = {"pk": f"EXPORT#{export_id}", "sk": f"TILE#{tile.row:05d}#{tile.col:05d}"}
        self._db.put_item(TableName=self.table, Item=item_of(tile, **keys))

    def tiles(self, export_id: str, attempt: int) -> Iterator[TileRecord]:
        """Those of one attempt that are finished or have failed."""
        for item in self._query(f"EXPORT#{export_id}", "TILE#"):
            tile = model_of(TileRecord, item)
            if tile.attempt == attempt:
                yield tile

    def count_tiles(self, export_id: str, attempt: int) -> int:
        """How many of one attempt are finished."""
        count, start = 0, None
        while True:
            answer = self._db.query(
                TableName=self.table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :part)",
                FilterExpression="attempt = :attempt AND #state <> :failed",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=typed(
                    {":pk": f"EXPORT#{export_id}", ":part": "TILE#", ":attempt": attempt, ":failed": "failed"}
                ),
                Select="COUNT",
                **({"ExclusiveStartKey": start} if start else {}),
            )
            count += answer["Count"]
            if not (start := answer.get("LastEvaluatedKey")):
                return int(count)

    def failures(self, export_id: str, attempt: int) -> Iterator[tuple[str, Failure]]:
        """What children of the map could not do: (family of the error, why)."""
        for item in self._query(f"EXPORT#{export_id}", f"FAILURE#{attempt}#"):
            attributes = plain(item)
            yield attributes["error"], failure_of(attributes["error"], attributes["cause"])

    def put_delivery(self, export_id: str, delivery: DeliveryRecord) -> None:
        keys = {"pk": f"EXPORT#{export_id}", "sk": f"DELIVERY#{delivery.delivery_id}"}
        self._db.put_item(TableName=self.table, Item=item_of(delivery, **keys))

    def deliveries(self, export_id: str) -> Iterator[DeliveryRecord]:
        return (model_of(DeliveryRecord, item) for item in self._query(f"EXPORT#{export_id}", "DELIVERY#"))

    def add_event(self, export_id: str, event: Event) -> None:
        at = event.model_dump(mode="json")["at"]
        keys = {"pk": f"EXPORT#{export_id}", "sk": f"EVENT#{at}#{secrets.token_hex(4)}"}
        self._db.put_item(TableName=self.table, Item=item_of(event, **keys))

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


def failure_of(error: str, cause: str) -> Failure:
    """What Step Functions knows of an error (its name, and a Lambda's answer as JSON), as people are told it."""
    try:
        told = json.loads(json.loads(cause)["errorMessage"])
        return Failure(code=told["code"], message=told["message"], pointer=told.get("pointer"))
    except (ValueError, KeyError, TypeError):
        pass
    try:
        told = json.loads(cause)
        return Failure(code=told["code"], message=told["message"])
    except (ValueError, KeyError, TypeError):
        return Failure(
            code=_DIED.get(error, ("internal-error", ""))[0], message=_DIED.get(error, ("", cause))[1] or error
        )


_DIED = {
    # What ends a Lambda without a word of its own -> code, message
    "States.Timeout": ("timed-out", "a step took longer than it may; retry goes on from the finished tiles"),
    "Sandbox.Timedout": ("timed-out", "a step took longer than it may; retry goes on from the finished tiles"),
    "Lambda.Unknown": ("worker-died", "a step died, perhaps for lack of memory; retry goes on from the finished tiles"),
}


def _record(item: Item) -> ExportRecord:
    attributes = plain(item)
    if isinstance(attributes.get("error"), str):  # as MarkError writes it, which knows no JSON
        attributes["error"] = failure_of(attributes["error"], attributes.get("cause", "")).model_dump()
    return ExportRecord.model_validate(
        {key: value for key, value in attributes.items() if key in ExportRecord.model_fields}
    )


def _instant(record: ExportRecord) -> str:
    return str(record.model_dump(mode="json")["created_at"])


def _json(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def _cursor(start: Item | None) -> str | None:
    if not start:
        return None
    place = plain(start)
    return base64.urlsafe_b64encode(json.dumps([place["pk"], place["gsi1sk"]]).encode()).decode().rstrip("=")


def _from_cursor(cursor: str | None, owner: str) -> Item | None:
    """The owner is not taken from the cursor: who sends another's sees nothing of them."""
    if not cursor:
        return None
    try:
        pk, gsi1sk = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return typed({"pk": str(pk), "sk": META, "gsi1pk": f"OWNER#{owner}", "gsi1sk": str(gsi1sk)})
    except (ValueError, TypeError) as error:
        raise InvalidRequest("this cursor is none of ours; leave it out to begin anew", pointer="/cursor") from error


def _told(error: ClientError, refused: str) -> Exception:
    return Conflict(refused) if error.response["Error"]["Code"] == REFUSED else error
