"""What a user may take: reserved before it is taken, given back when it was not, kept when it was.

Each of a user's accounts is one item: a total, and beside it one attribute for each attempt that still holds a part of
it. So every step is a single conditional write, which DynamoDB does wholly or not at all, and doing it again changes
nothing: no transaction, which would fail wherever two of the user's exports begin at once.

    QUOTA#sub        / RUNNING   {total, held#{export}-{attempt}: 1, …}         exports at once
    QUOTA#sub#yyyymm / META      {total, held#{export}-{attempt}: pixels, …}    pixels a month
    QUOTA#sub / DELIVERIES       {total, held#{export}-{delivery}: 1, …}        those with executions of their own
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol

from botocore.exceptions import ClientError

from cutline.errors import RateLimited
from cutline.settings import Limits
from cutline.store.clients import client
from cutline.store.faults import REFUSED
from cutline.store.items import Item, plain, typed

HELD = "held#"
"""What names of attributes begin with, before who holds a part"""


class Attempt(Protocol):
    """Of an export: its record, or what its execution was told."""

    @property
    def owner(self) -> str: ...

    @property
    def execution_name(self) -> str: ...

    @property
    def begun_at(self) -> dt.datetime: ...


class Quotas:
    """The accounts of all users, in the exports' table."""

    def __init__(self, table: str, limits: Limits) -> None:
        self._table, self._limits, self._db = table, limits, client("dynamodb")

    def reserve_export(self, attempt: Attempt) -> None:
        """Count this attempt among its owner's running exports, once. Raises RateLimited where those are too many."""
        limit = self._limits.exports_at_once
        refused = f"{limit} exports are running already, which is all that run at once; wait for one to end"
        self._reserve(_running(attempt.owner), attempt.execution_name, 1, limit, refused)

    def reserve_pixels(self, attempt: Attempt, pixels: int) -> None:
        """Count ``pixels`` in the owner's month, once for an attempt. Raises RateLimited beyond the month's."""
        limit = self._limits.pixels_a_month
        refused = f"{pixels:,} pixels are more than what is left of this month's {limit:,}"
        self._reserve(_month(attempt.owner, attempt.begun_at), attempt.execution_name, pixels, limit, refused)

    def release(self, attempt: Attempt, *, pixels: bool) -> None:
        """This attempt has ended. Its ``pixels`` are given back too, or else count for good. Again does nothing."""
        self._release(_running(attempt.owner), attempt.execution_name, give_back=True)
        self._release(_month(attempt.owner, attempt.begun_at), attempt.execution_name, give_back=pixels)

    def reserve_delivery(self, owner: str, export_id: str, delivery_id: str) -> None:
        """Count a delivery among its owner's under way, once. Raises RateLimited where those are too many."""
        limit = self._limits.deliveries_at_once
        refused = f"{limit} deliveries are under way already, which is all that go at once; wait for one to end"
        self._reserve(_deliveries(owner), f"{export_id}-{delivery_id}", 1, limit, refused)

    def release_delivery(self, owner: str, export_id: str, delivery_id: str) -> None:
        """It is not under way any more. Again does nothing."""
        self._release(_deliveries(owner), f"{export_id}-{delivery_id}", give_back=True)

    def deliveries(self, owner: str) -> list[tuple[str, str]]:
        """Ids of exports and deliveries that count as under way."""
        held = (name.removeprefix(HELD) for name in self._get(_deliveries(owner)) if name.startswith(HELD))
        return [(export_id, delivery_id) for export_id, _, delivery_id in (name.rpartition("-") for name in held)]

    def used(self, owner: str) -> dict[str, int]:
        """exports_running, and pixels_this_month."""
        running, month = self._get(_running(owner)), self._get(_month(owner, dt.datetime.now(dt.UTC)))
        return {"exports_running": running.get("total", 0), "pixels_this_month": month.get("total", 0)}

    def _reserve(self, key: Item, holder: str, amount: int, limit: int, refused: str) -> None:
        if amount > limit:
            raise RateLimited(refused)
        try:
            self._db.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression="SET #held = :amount ADD #total :amount",
                ConditionExpression="attribute_not_exists(#held) AND (attribute_not_exists(#total) OR #total <= :room)",
                ExpressionAttributeNames={"#held": HELD + holder, "#total": "total"},
                ExpressionAttributeValues=typed({":amount": amount, ":room": limit - amount}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
            if HELD + holder not in self._get(key):  # else it is counted: this ran before
                raise RateLimited(refused) from error

    def _release(self, key: Item, holder: str, *, give_back: bool) -> None:
        amount = self._get(key).get(HELD + holder)
        if amount is None:
            return
        names, values = {"#held": HELD + holder}, {":amount": amount}
        if give_back:
            names["#total"] = "total"
            values[":less"] = -amount
        try:
            self._db.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression="REMOVE #held" + (" ADD #total :less" if give_back else ""),
                ConditionExpression="#held = :amount",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=typed(values),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:  # refused: another was here between reading and writing
                raise

    def _get(self, key: Item) -> dict[str, Any]:
        return plain(self._db.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {}))


def _running(owner: str) -> Item:
    return typed({"pk": f"QUOTA#{owner}", "sk": "RUNNING"})


def _deliveries(owner: str) -> Item:
    return typed({"pk": f"QUOTA#{owner}", "sk": "DELIVERIES"})


def _month(owner: str, at: dt.datetime) -> Item:
    """An attempt counts in the month in which it began, so that it is given back where it was taken."""
    return typed({"pk": f"QUOTA#{owner}#{at:%Y%m}", "sk": "META"})
