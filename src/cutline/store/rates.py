"""How often in a while: token buckets, one item each.

    RATE#who / META   {full_at, ttl}

A bucket holds so many tokens and is refilled at a steady rate. That is one time, the one at which it will be full
again: taking a token puts it off by the time in which one comes back, and the bucket is empty where it lies as far
ahead as filling the whole takes (GCRA). So a token is taken by one conditional write, without reading first.
"""

from __future__ import annotations

import math
import time

from botocore.exceptions import ClientError

from cutline.errors import RateLimited
from cutline.store.clients import client
from cutline.store.faults import REFUSED
from cutline.store.items import plain, typed

FORGOTTEN_SECONDS = 3600
"""After a bucket is full its item says nothing any more"""


class Rates:
    """The buckets of one kind, in the exports' table."""

    def __init__(self, table: str, *, a_minute: int, in_a_row: int, what: str = "downloads") -> None:
        """``in_a_row``: tokens of a full bucket; ``a_minute``: those that come back; ``what``: in words."""
        self._table, self._db = table, client("dynamodb")
        self._a_minute, self._in_a_row, self._what = a_minute, in_a_row, what
        self._interval = math.ceil(60_000 / a_minute)

    def take(self, who: str) -> None:
        """Take a token. Raises RateLimited, which tells after how many seconds there is one again."""
        at = time.time_ns() // 1_000_000
        if not (self._begin(who, at) or self._put_off(who, at)):
            item = self._db.get_item(TableName=self._table, Key=_key(who), ConsistentRead=True).get("Item", {})
            seconds = max(1, math.ceil((plain(item).get("full_at", at) - self._latest(at)) / 1000))
            most = f"{self._a_minute} {self._what} a minute, {self._in_a_row} in a row, are the most"
            raise RateLimited(f"{most}; go on in {seconds} s", details={"retry_after": seconds})

    def _latest(self, at: int) -> int:
        """When the bucket may be full at the latest for there to be a token now, in milliseconds."""
        return at + (self._in_a_row - 1) * self._interval

    def _begin(self, who: str, at: int) -> bool:
        """From a full bucket."""
        new = at + self._interval
        return self._write(
            who, "SET full_at = :new, #ttl = :ttl", "attribute_not_exists(full_at) OR full_at <= :at", at, {":new": new}
        )

    def _put_off(self, who: str, at: int) -> bool:
        """From one that is not full."""
        values = {":interval": self._interval, ":latest": self._latest(at)}
        change = "SET full_at = full_at + :interval, #ttl = :ttl"
        return self._write(who, change, "full_at > :at AND full_at <= :latest", at, values)

    def _write(self, who: str, change: str, condition: str, at: int, values: dict[str, int]) -> bool:
        ttl = at // 1000 + FORGOTTEN_SECONDS + self._interval * self._in_a_row // 1000
        try:
            self._db.update_item(
                TableName=self._table,
                Key=_key(who),
                UpdateExpression=change,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=typed({":at": at, ":ttl": ttl, **values}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
            return False
        return True


def _key(who: str) -> dict[str, dict[str, str]]:
    return typed({"pk": f"RATE#{who}", "sk": "META"})
