"""Deliveries while they are carried.

Each write is of the version that was read: of two who carry the same delivery, the one who began later goes on, and the
other learns of it at its next write.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cutline.errors import Conflict, NotFound
from cutline.models.record import DeliveryRecord, Failure, now
from cutline.store.clients import client
from cutline.store.faults import REFUSED
from cutline.store.items import Item, item_of, model_of, stamp, typed
from cutline.store.records import export_key

FRESH: dict[str, Any] = {
    "state": "pending",
    "moved": False,
    "handed_over": 0,
    "uri": None,
    "nbytes": None,
    "checksum": None,
    "error": None,
}
"""What a delivery that begins once more says, whatever came of it before"""


class Deliveries:
    """Of one export."""

    def __init__(self, table: str, export_id: str) -> None:
        self._table, self._export_id, self._db = table, export_id, client("dynamodb")

    def get(self, delivery_id: str) -> DeliveryRecord:
        """Raises NotFound."""
        found = self._db.get_item(TableName=self._table, Key=self._key(delivery_id), ConsistentRead=True).get("Item")
        if not found:
            raise NotFound(f"export {self._export_id} has no delivery {delivery_id}")
        return model_of(DeliveryRecord, found)

    def create(self, delivery: DeliveryRecord) -> None:
        """Raises Conflict where there is such a delivery."""
        self._put(delivery, "attribute_not_exists(pk)", {})

    def save(self, delivery: DeliveryRecord, **changes: Any) -> DeliveryRecord:
        """``delivery`` with ``changes``, as the table has it then. Raises Conflict where another has written it since
        it was read, or it is gone."""
        after = delivery.model_copy(update={**changes, "version": delivery.version + 1, "at": now()})
        self._put(after, "version = :version", {":version": delivery.version})
        return after

    def fail(self, delivery: DeliveryRecord, why: Failure) -> None:
        """It will not arrive any more, whoever carries it; one that has ended meanwhile, or was begun again, stays."""
        self._change(
            delivery.delivery_id,
            {"state": "failed", "error": why.model_dump(exclude_none=True), "at": stamp(now())},
            *_under_way(delivery),
        )

    def hand_over(self, delivery: DeliveryRecord, execution: str) -> None:
        """Another ``execution`` goes on from the cursor; one that has ended meanwhile, or was begun again, stays."""
        changes = {
            "state": "pending",
            "execution": execution,
            "moved": False,
            "handed_over": delivery.handed_over + 1,
            "at": stamp(now()),
        }
        self._change(delivery.delivery_id, changes, *_under_way(delivery))

    def begin_again(self, delivery: DeliveryRecord, attempt: int, *, anew: bool) -> None:
        """It goes on in another ``attempt``, from where it came to, or ``anew``: with another COG."""
        changes = {**FRESH, "attempt": attempt, "execution": None, "cursor": {} if anew else delivery.cursor}
        self._change(delivery.delivery_id, changes, "attribute_exists(pk)", {})

    def mark_notified(self, delivery: DeliveryRecord) -> bool:
        """Whether the end of the execution that carried it is still to be told; from now on it is not."""
        untold = "(attribute_not_exists(notified) OR notified <> :execution)"
        return self._note(delivery, "SET notified = :execution", untold)

    def unmark_notified(self, delivery: DeliveryRecord) -> None:
        """It was not told after all, and may be again."""
        self._note(delivery, "REMOVE notified", "notified = :execution")

    def _note(self, delivery: DeliveryRecord, expression: str, condition: str) -> bool:
        """Whether ``condition`` held, and it is still of this execution. The version stays: who has read the record may
        begin it again."""
        try:
            self._db.update_item(
                TableName=self._table,
                Key=self._key(delivery.delivery_id),
                UpdateExpression=expression,
                ConditionExpression=f"#execution = :execution AND {condition}",
                ExpressionAttributeNames={"#execution": "execution"},
                ExpressionAttributeValues=typed({":execution": delivery.execution}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
            return False
        return True

    def _change(self, delivery_id: str, changes: dict[str, Any], condition: str, values: dict[str, Any]) -> None:
        """Other attributes, and the next version, if ``condition`` holds."""
        kept = {name: value for name, value in changes.items() if value is not None}
        gone = [name for name in changes if name not in kept]
        expression = "SET " + ", ".join(f"#{name} = :_{name}" for name in kept) + ", version = version + :one"
        expression += " REMOVE " + ", ".join(f"#{name}" for name in gone) if gone else ""
        given = {**values, **{f":_{name}": value for name, value in kept.items()}, ":one": 1}
        try:
            self._db.update_item(
                TableName=self._table,
                Key=self._key(delivery_id),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeNames={
                    f"#{name}": name for name in (*changes, "execution") if f"#{name}" in expression + condition
                },
                ExpressionAttributeValues=typed(given),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise

    def _put(self, delivery: DeliveryRecord, condition: str, values: dict[str, Any]) -> None:
        keys = {name: value["S"] for name, value in self._key(delivery.delivery_id).items()}
        try:
            self._db.put_item(
                TableName=self._table,
                Item=item_of(delivery, **keys),
                ConditionExpression=condition,
                **({"ExpressionAttributeValues": typed(values)} if values else {}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
            raise Conflict(f"delivery {delivery.delivery_id} of {self._export_id} is another's now") from error

    def _key(self, delivery_id: str) -> Item:
        return export_key(self._export_id, f"DELIVERY#{delivery_id}")


def _under_way(delivery: DeliveryRecord) -> tuple[str, dict[str, Any]]:
    """The condition that the same execution still carries it, and its values."""
    of_same = "#execution = :execution" if delivery.execution else "attribute_not_exists(#execution)"
    values = {":of": delivery.attempt, ":pending": "pending", ":running": "running", ":execution": delivery.execution}
    return f"attempt = :of AND #state IN (:pending, :running) AND {of_same}", values
