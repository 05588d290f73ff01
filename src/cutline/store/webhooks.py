"""Webhooks in the table, what was sent to them, and how their owners want to be told at all::

WEBHOOKS#owner  id              one webhook
WEBHOOK#id      COUNT           the number of its last delivery
                EVENT#event     which delivery an event has become     gone after 30 days
                DELIVERY#number one event on its way                   gone after 30 days
ACCOUNT#sub     PREFERENCES
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cutline.errors import Conflict, NotFound
from cutline.models.notification import Preferences, WebhookDelivery, WebhookRecord
from cutline.store.clients import client
from cutline.store.faults import conflict, reasons_of
from cutline.store.items import Item, item_of, model_of, plain, typed

KEPT_SECONDS = 30 * 86_400
PREFERENCES = "PREFERENCES"


class Webhooks:
    """Those of all owners. Every key has the owner in it: another's webhook cannot be named."""

    def __init__(self, table: str) -> None:
        self.table, self._db = table, client("dynamodb")

    def create(self, record: WebhookRecord) -> None:
        self._db.put_item(
            TableName=self.table,
            Item=item_of(record, **_place(record)),
            ConditionExpression="attribute_not_exists(pk)",
        )

    def get(self, owner: str, webhook_id: str) -> WebhookRecord:
        """Raises NotFound."""
        key = typed({"pk": f"WEBHOOKS#{owner}", "sk": webhook_id})
        found = self._db.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        if not found:
            raise NotFound(f"there is no webhook {webhook_id}")
        return model_of(WebhookRecord, found)

    def replace(self, before: WebhookRecord, after: WebhookRecord) -> None:
        """Raises Conflict where it was changed since ``before`` was read, or is gone."""
        try:
            self._db.put_item(
                TableName=self.table,
                Item=item_of(after, **_place(after)),
                ConditionExpression="updated_at = :before",
                ExpressionAttributeValues=typed({":before": before.model_dump(mode="json")["updated_at"]}),
            )
        except ClientError as error:
            raise conflict(error, f"webhook {after.webhook_id} was changed meanwhile; look at it again") from error

    def delete(self, record: WebhookRecord) -> None:
        """With its deliveries; the record goes last, so that one can try again."""
        for item in self._query(f"WEBHOOK#{record.webhook_id}", ProjectionExpression="pk, sk"):
            self._db.delete_item(TableName=self.table, Key={"pk": item["pk"], "sk": item["sk"]})
        self._db.delete_item(TableName=self.table, Key=typed(_place(record)))

    def of_owner(self, owner: str) -> list[WebhookRecord]:
        """Oldest first."""
        found = [model_of(WebhookRecord, item) for item in self._query(f"WEBHOOKS#{owner}")]
        return sorted(found, key=lambda record: record.created_at)

    # What is sent to them ----------------------------------------------------------------------------------------

    def begin(self, delivery: WebhookDelivery) -> WebhookDelivery:
        """Keep a new delivery under the next number; or return the one that its event has become already."""
        place = {"pk": f"WEBHOOK#{delivery.webhook_id}", "sk": f"EVENT#{delivery.event_id}"}
        if known := self._db.get_item(TableName=self.table, Key=typed(place), ConsistentRead=True).get("Item"):
            return self.delivery(delivery.webhook_id, plain(known)["number"])
        numbered = delivery.model_copy(update={"number": self._next(delivery.webhook_id)})
        gone = {"ttl": int(delivery.created_at.timestamp()) + KEPT_SECONDS}
        claim = {
            "TableName": self.table,
            "Item": typed({**place, "number": numbered.number, **gone}),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        create = {"TableName": self.table, "Item": _delivery_item(numbered)}
        try:
            self._db.transact_write_items(TransactItems=[{"Put": claim}, {"Put": create}])
        except self._db.exceptions.TransactionCanceledException as error:
            if {"ConditionalCheckFailed", "TransactionConflict"}.isdisjoint(reasons_of(error)):
                raise
            raise Conflict(f"event {delivery.event_id} is being sent by another") from error
        return numbered

    def delivery(self, webhook_id: str, number: int) -> WebhookDelivery:
        """Raises NotFound."""
        key = _delivery_key(webhook_id, number)
        found = self._db.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        if not found:
            raise NotFound(f"webhook {webhook_id} has no delivery {number}")
        return model_of(WebhookDelivery, found)

    def put_delivery(self, before: WebhookDelivery, after: WebhookDelivery) -> None:
        """Raises Conflict where it has gone on since ``before`` was read, or is gone."""
        try:
            self._db.put_item(
                TableName=self.table,
                Item=_delivery_item(after),
                ConditionExpression="round = :round AND failures = :failures AND #state = :state",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=typed(
                    {":round": before.round, ":failures": before.failures, ":state": before.state}
                ),
            )
        except ClientError as error:
            raise conflict(error, f"delivery {after.number} has gone on meanwhile") from error

    def deliveries(self, webhook_id: str, *, limit: int, before: int | None) -> list[WebhookDelivery]:
        """Newest first, those with numbers below ``before``."""
        last = f"DELIVERY#{before - 1:08d}" if before else "DELIVERY#~"
        answer = self._db.query(
            TableName=self.table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=typed({":pk": f"WEBHOOK#{webhook_id}", ":first": "DELIVERY#", ":last": last}),
            ScanIndexForward=False,
            Limit=limit,
            ConsistentRead=True,
        )
        return [model_of(WebhookDelivery, item) for item in answer["Items"]]

    def _next(self, webhook_id: str) -> int:
        answer = self._db.update_item(
            TableName=self.table,
            Key=typed({"pk": f"WEBHOOK#{webhook_id}", "sk": "COUNT"}),
            UpdateExpression="ADD #number :one",
            ExpressionAttributeNames={"#number": "number"},
            ExpressionAttributeValues=typed({":one": 1}),
            ReturnValues="UPDATED_NEW",
        )
        return int(plain(answer["Attributes"])["number"])

    def _query(self, pk: str, **more: Any) -> list[Item]:
        pages = self._db.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=typed({":pk": pk}),
            ConsistentRead=True,
            **more,
        )
        return [item for page in pages for item in page["Items"]]


class Accounts:
    """What the table keeps of people themselves."""

    def __init__(self, table: str) -> None:
        self.table, self._db = table, client("dynamodb")

    def preferences(self, sub: str) -> Preferences:
        """Those that they set, or the default."""
        found = self._db.get_item(TableName=self.table, Key=_account(sub), ConsistentRead=True).get("Item")
        return model_of(Preferences, found) if found else Preferences()

    def keep_preferences(self, sub: str, preferences: Preferences) -> None:
        self._db.put_item(TableName=self.table, Item=item_of(preferences, pk=f"ACCOUNT#{sub}", sk=PREFERENCES))


def _account(sub: str) -> Item:
    return typed({"pk": f"ACCOUNT#{sub}", "sk": PREFERENCES})


def _place(record: WebhookRecord) -> dict[str, str]:
    return {"pk": f"WEBHOOKS#{record.owner}", "sk": record.webhook_id}


def _delivery_key(webhook_id: str, number: int) -> Item:
    return typed({"pk": f"WEBHOOK#{webhook_id}", "sk": f"DELIVERY#{number:08d}"})


def _delivery_item(delivery: WebhookDelivery) -> Item:
    gone = int(delivery.created_at.timestamp()) + KEPT_SECONDS
    return item_of(delivery) | _delivery_key(delivery.webhook_id, delivery.number) | typed({"ttl": gone})
