"""What a user may take, reserved before it is taken and given back when it was not: one conditional write each."""

from __future__ import annotations

import datetime as dt
from typing import Any

from botocore.exceptions import ClientError

from cutline.errors import RateLimited
from cutline.models.record import ExportRecord
from cutline.settings import Limits
from cutline.store.clients import client
from cutline.store.items import plain, typed
from cutline.store.records import REFUSED, export_key


class Quotas:
    """Counters beside the exports: QUOTA#sub / RUNNING (exports), QUOTA#sub#yyyymm / META (pixels)."""

    def __init__(self, table: str, limits: Limits) -> None:
        self._table, self._limits, self._db = table, limits, client("dynamodb")

    def reserve_export(self, record: ExportRecord) -> None:
        """Count ``record`` among its owner's running exports, once. Raises RateLimited where those are too many."""
        limit = self._limits.exports_at_once
        self._reserve(
            record,
            flag="reserved",
            value=True,
            key=_running(record.owner),
            counter="exports",
            amount=1,
            limit=limit,
            refused=f"{limit} exports are running already, which is all that run at once; wait for one to end",
        )

    def reserve_pixels(self, record: ExportRecord, pixels: int) -> None:
        """Count ``pixels`` in the owner's month, once for an attempt. Raises RateLimited beyond the month's."""
        limit = self._limits.pixels_a_month
        self._reserve(
            record,
            flag="pixels_reserved",
            value=pixels,
            key=_month(record),
            counter="pixels",
            amount=pixels,
            limit=limit,
            refused=f"{pixels:,} pixels are more than what is left of this month's {limit:,}",
        )

    def release(self, record: ExportRecord, *, pixels: bool) -> None:
        """The export has ended; its ``pixels`` too are given back where they were not rendered. Again does nothing."""
        self._give_back(record, "reserved", _running(record.owner), "exports")
        if pixels:
            self._give_back(record, "pixels_reserved", _month(record), "pixels")

    def used(self, owner: str) -> dict[str, int]:
        """exports running, pixels this month."""
        running = self._get(_running(owner)).get("exports", 0)
        month = self._get({"pk": f"QUOTA#{owner}#{dt.datetime.now(dt.UTC):%Y%m}", "sk": "META"}).get("pixels", 0)
        return {"exports_running": running, "pixels_this_month": month}

    def _reserve(
        self,
        record: ExportRecord,
        *,
        flag: str,
        value: Any,
        key: dict[str, str],
        counter: str,
        amount: int,
        limit: int,
        refused: str,
    ) -> None:
        count = {
            "TableName": self._table,
            "Key": typed(key),
            "UpdateExpression": "ADD #counter :amount",
            "ConditionExpression": "attribute_not_exists(#counter) OR #counter <= :room",
            "ExpressionAttributeNames": {"#counter": counter},
            "ExpressionAttributeValues": typed({":amount": amount, ":room": limit - amount}),
        }
        if amount > limit:
            raise RateLimited(refused)
        mark = {
            "TableName": self._table,
            "Key": export_key(record.export_id),
            "UpdateExpression": "SET #flag = :value",
            "ConditionExpression": "attempt = :attempt AND (attribute_not_exists(#flag) OR #flag = :none)",
            "ExpressionAttributeNames": {"#flag": flag},
            "ExpressionAttributeValues": typed(
                {":value": value, ":attempt": record.attempt, ":none": False if value is True else 0}
            ),
        }
        try:
            self._db.transact_write_items(TransactItems=[{"Update": count}, {"Update": mark}])
        except ClientError as error:
            reasons = [reason["Code"] for reason in error.response.get("CancellationReasons", ())]
            if reasons and reasons[1] == "ConditionalCheckFailed":  # counted before, by who ran this first
                return
            if reasons and reasons[0] == "ConditionalCheckFailed":
                raise RateLimited(refused) from error
            raise

    def _give_back(self, record: ExportRecord, flag: str, key: dict[str, str], counter: str) -> None:
        item = self._db.get_item(TableName=self._table, Key=export_key(record.export_id), ConsistentRead=True)
        value = plain(item.get("Item", {})).get(flag)
        if not value:
            return
        uncount = {
            "TableName": self._table,
            "Key": typed(key),
            "UpdateExpression": "ADD #counter :amount",
            "ExpressionAttributeNames": {"#counter": counter},
            "ExpressionAttributeValues": typed({":amount": -int(value)}),
        }
        unmark = {
            "TableName": self._table,
            "Key": export_key(record.export_id),
            "UpdateExpression": "REMOVE #flag",
            "ConditionExpression": "#flag = :value",
            "ExpressionAttributeNames": {"#flag": flag},
            "ExpressionAttributeValues": typed({":value": value}),
        }
        try:
            self._db.transact_write_items(TransactItems=[{"Update": uncount}, {"Update": unmark}])
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            reasons = [reason["Code"] for reason in error.response.get("CancellationReasons", ())]
            if "ConditionalCheckFailed" not in reasons and REFUSED not in reasons:
                raise

    def _get(self, key: dict[str, str]) -> dict[str, Any]:
        return plain(self._db.get_item(TableName=self._table, Key=typed(key)).get("Item", {}))


def _running(owner: str) -> dict[str, str]:
    return {"pk": f"QUOTA#{owner}", "sk": "RUNNING"}


def _month(record: ExportRecord) -> dict[str, str]:
    """The month in which it was asked for, so that it is given back where it was taken."""
    return {"pk": f"QUOTA#{record.owner}#{record.created_at:%Y%m}", "sk": "META"}
