"""Destinations in the table. Their owner is part of the key: nobody else's are ever found.

DESTINATION#owner  id   a destination, without its secret
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cutline.errors import NotFound
from cutline.models.destination import DestinationRecord
from cutline.models.record import Failure, now
from cutline.store.clients import client
from cutline.store.faults import REFUSED, conflict
from cutline.store.items import Item, item_of, model_of, stamp, typed


class Destinations:
    """Where users have their exports brought to."""

    def __init__(self, table: str) -> None:
        self.table, self._db = table, client("dynamodb")

    def create(self, record: DestinationRecord) -> DestinationRecord:
        """Raises Conflict where the id is taken."""
        self._put(record, "attribute_not_exists(pk)", {})
        return record

    def change(self, record: DestinationRecord) -> DestinationRecord:
        """Keep ``record`` as its next version. Raises Conflict where another has changed it meanwhile."""
        after = record.model_copy(update={"version": record.version + 1})
        self._put(after, "version = :version", {":version": record.version})
        return after

    def tried(self, record: DestinationRecord, problem: Failure | None) -> None:
        """Keep what came of trying this version; of another it says nothing."""
        at = stamp(now())
        told: dict[str, Any] = {"problem": problem.model_dump(exclude_none=True)} if problem else {"verified_at": at}
        [(name, value)] = told.items()
        try:
            self._db.update_item(
                TableName=self.table,
                Key=_key(record.owner, record.destination_id),
                UpdateExpression="SET #told = :told" + ("" if problem else " REMOVE #problem"),
                ConditionExpression="version = :version",
                ExpressionAttributeNames={"#told": name, **({} if problem else {"#problem": "problem"})},
                ExpressionAttributeValues=typed({":told": value, ":version": record.version}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise

    def get(self, owner: str, destination_id: str) -> DestinationRecord:
        """Raises NotFound."""
        key = _key(owner, destination_id)
        found = self._db.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        if not found:
            raise NotFound(f"there is no destination {destination_id}")
        return model_of(DestinationRecord, found)

    def delete(self, record: DestinationRecord) -> None:
        """Again does nothing. Raises Conflict where another has changed it meanwhile."""
        try:
            self._db.delete_item(
                TableName=self.table,
                Key=_key(record.owner, record.destination_id),
                ConditionExpression="attribute_not_exists(pk) OR version = :version",
                ExpressionAttributeValues=typed({":version": record.version}),
            )
        except ClientError as error:
            raise conflict(error, _changed(record)) from error

    def of_owner(self, owner: str) -> list[DestinationRecord]:
        """In the order in which they were made."""
        pages = self._db.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=typed({":pk": _group(owner)}),
            ConsistentRead=True,
        )
        found = [model_of(DestinationRecord, item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda record: record.created_at)

    def _put(self, record: DestinationRecord, condition: str, values: dict[str, Any]) -> None:
        try:
            self._db.put_item(
                TableName=self.table,
                Item=item_of(record, pk=_group(record.owner), sk=record.destination_id),
                ConditionExpression=condition,
                **({"ExpressionAttributeValues": typed(values)} if values else {}),
            )
        except ClientError as error:
            raise conflict(error, _changed(record)) from error


def _changed(record: DestinationRecord) -> str:
    return f"destination {record.destination_id} was changed by another meanwhile; look again"


def _group(owner: str) -> str:
    return f"DESTINATION#{owner}"


def _key(owner: str, destination_id: str) -> Item:
    return typed({"pk": _group(owner), "sk": destination_id})
