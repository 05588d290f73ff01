"""The same request is one export: who asks first claims it, and whoever asks again within a day is shown that.

IDEM#{owner}#{hash} / META   {export_id, request, ttl}
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from cutline.models.record import ExportRecord
from cutline.store.clients import client
from cutline.store.items import META, plain, typed
from cutline.store.records import Records, export_key

SECONDS = 24 * 3600
"""For which a claim holds. DynamoDB removes items late, so the time is compared here"""


class Claim(NamedTuple):
    export_id: str
    request: str
    """Hash of what was asked for, which under a key of the user's own has to stay the same"""


class Claims:
    """Those of all users, in the exports' table."""

    def __init__(self, table: str) -> None:
        self._table, self._db = table, client("dynamodb")

    @staticmethod
    def key(owner: str, identity: str) -> str:
        return f"IDEM#{owner}#{identity}"

    def find(self, key: str) -> Claim | None:
        """The claim that holds now."""
        answer = self._db.get_item(TableName=self._table, Key=_key(key), ConsistentRead=True)
        item = plain(answer.get("Item", {}))
        return Claim(item["export_id"], item["request"]) if item.get("ttl", 0) > time.time() else None

    def begin(self, record: ExportRecord, key: str, request: str, *, instead_of: str | None) -> bool:
        """Claim ``key`` for ``record`` and create that, both or neither. False where another has it, which is not
        ``instead_of`` (an export that came to nothing)."""
        now = int(time.time())
        claim = {
            "TableName": self._table,
            "Item": typed(
                {"pk": key, "sk": META, "export_id": record.export_id, "request": request, "ttl": now + SECONDS}
            ),
            "ConditionExpression": "attribute_not_exists(pk) OR #ttl <= :now OR export_id = :old",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": typed({":now": now, ":old": instead_of or "none"}),
        }
        create = {
            "TableName": self._table,
            "Item": Records(self._table).item(record),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        try:
            self._db.transact_write_items(TransactItems=[{"Put": claim}, {"Put": create}])
        except self._db.exceptions.TransactionCanceledException as error:
            reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
            # A conflict: another is writing the same claim at this very moment, and that one will have it.
            if reasons and reasons[0] in {"ConditionalCheckFailed", "TransactionConflict"}:
                return False
            raise
        return True

    def give_up(self, record: ExportRecord, key: str) -> None:
        """Undo ``begin``, both or neither; nothing where the export has gone on meanwhile."""
        values: dict[str, Any] = {":id": record.export_id}
        unclaim = {
            "TableName": self._table,
            "Key": _key(key),
            "ConditionExpression": "export_id = :id",
            "ExpressionAttributeValues": typed(values),
        }
        remove = {
            "TableName": self._table,
            "Key": export_key(record.export_id),
            "ConditionExpression": "#status = :pending",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": typed({":pending": "PENDING"}),
        }
        try:
            self._db.transact_write_items(TransactItems=[{"Delete": unclaim}, {"Delete": remove}])
        except self._db.exceptions.TransactionCanceledException as error:
            reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
            if "ConditionalCheckFailed" not in reasons:
                raise


def _key(key: str) -> dict[str, Any]:
    return typed({"pk": key, "sk": META})
