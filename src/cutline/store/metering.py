"""Bytes that leave: set aside when a redirect is given, counted when S3's access logs tell of them.

    TRAFFIC#owner#yyyymm  META         {used, total}         bytes that left; those and what is set aside
    TICKETS#owner         ticket       {export_id, held}     what is set aside for one redirect
    USAGE#owner           day#export   {nbytes, requests}
    METERED#log           ticket#day   {}                    a part of a log that is counted

Each step is one transaction, done wholly or not at all, and doing it again changes nothing. Logs come late and S3 does
not promise every line, so what is set aside for a ticket is given back some hours after it was given.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

from cutline.errors import NotFound, RateLimited, TransientError
from cutline.models.record import now
from cutline.models.traffic import LinkRecord, MonthAccount, Sent, Ticket, UsageRow
from cutline.store.clients import client
from cutline.store.faults import reasons_of
from cutline.store.items import Item, model_of, plain, typed
from cutline.store.links import Links, link_key

HOLD = dt.timedelta(hours=6)
"""For how long bytes are set aside: "most log records are delivered within a few hours" (S3's documentation)"""
LAPSED_AT_ONCE = 25
TRIES = 5
MARK_SECONDS = 120 * 86_400
"""Longer than logs are kept, and messages about them"""

Piece = dict[str, Any]
"""Of a transaction"""


class Traffic:
    """All users' accounts, in the exports' table."""

    def __init__(self, table: str, *, bytes_a_month: int) -> None:
        self._table, self._db, self._limit = table, client("dynamodb"), bytes_a_month
        self._links = Links(table)

    def reserve(self, ticket: Ticket, owner: str, export_id: str, nbytes: int, link: LinkRecord | None = None) -> None:
        """Set ``nbytes`` aside in the owner's month, and count a download of ``link``.

        Raises RateLimited where the month or the link has no room now, and NotFound where the link is used up.
        """
        if nbytes > self._limit:
            raise RateLimited(f"the file's {nbytes:,} bytes are more than the {self._limit:,} of a whole month")
        self._lapse(owner, ticket.issued_at)
        held = {"pk": f"TICKETS#{owner}", "sk": str(ticket), "export_id": export_id, "held": nbytes}
        pieces: list[Piece] = [
            self._update(
                _month(owner, ticket),
                "ADD #total :nbytes",
                {":nbytes": nbytes, ":room": self._limit - nbytes},
                "attribute_not_exists(#total) OR #total <= :room",
            ),
            {"Put": {"TableName": self._table, "Item": typed(held)}},
        ]
        if link is not None:
            pieces.append(self._taken(link, nbytes))
        refused = self._together(pieces)
        if 0 in refused:
            raise self._no_room(owner, ticket, nbytes)
        if refused:
            assert link is not None  # noqa: S101 - else there is no other condition
            raise self._used_up(link, nbytes)

    def count(self, log: str, sent: Sent) -> None:
        """Count what has left, by an access log of the name ``log``: once, however often this is called."""
        for _ in range(TRIES):
            held = self._held(sent.owner, sent.ticket)
            if 0 in (refused := self._together(self._counted(log, sent, held))) or not refused:
                return
        raise TransientError(f"ticket {sent.ticket} changed {TRIES} times meanwhile; try again")

    def account(self, owner: str, at: dt.datetime) -> MonthAccount:
        """Of the month of ``at``; what was set aside long ago is given back first."""
        self._lapse(owner, at)
        return model_of(MonthAccount, self._get(_month(owner, Ticket.new(at))))

    def left(self, owner: str, at: dt.datetime) -> int:
        """Bytes that may still leave in the month of ``at``."""
        return max(self._limit - self.account(owner, at).total, 0)

    def days(self, owner: str, since: dt.date, until: dt.date) -> Iterator[UsageRow]:
        """By day, then export; both days are included."""
        pages = self._db.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :since AND :until",
            ExpressionAttributeValues=typed({":pk": f"USAGE#{owner}", ":since": f"{since}#", ":until": f"{until}#~"}),
            ConsistentRead=True,
        )
        for page in pages:
            for item in map(plain, page["Items"]):
                day, export_id = item["sk"].split("#", 1)
                yield UsageRow(
                    day=dt.date.fromisoformat(day),
                    export_id=export_id,
                    nbytes=item["nbytes"],
                    requests=item["requests"],
                )

    # Pieces of transactions --------------------------------------------------------------------------------------

    def _update(self, key: Item, change: str, values: dict[str, int], condition: str = "") -> Piece:
        """``#name`` stands for the attribute of that name."""
        piece = {
            "TableName": self._table,
            "Key": key,
            "UpdateExpression": change,
            "ExpressionAttributeNames": {f"#{name}": name for name in re.findall(r"#(\w+)", change + condition)},
            "ExpressionAttributeValues": typed(values),
        }
        return {"Update": piece | ({"ConditionExpression": condition} if condition else {})}

    def _taken(self, link: LinkRecord, nbytes: int) -> Piece:
        """A download by a link that is still there and has room."""
        conditions = ["attribute_exists(pk)"]
        values = {":one": 1, ":nbytes": nbytes}
        if link.max_downloads is not None:
            conditions.append("#downloads < :most")
            values[":most"] = link.max_downloads
        if link.max_bytes is not None:
            conditions.append("#total <= :room")
            values[":room"] = link.max_bytes - nbytes
        key = link_key(link.export_id, link.link_id)
        return self._update(key, "ADD #downloads :one, #total :nbytes", values, " AND ".join(conditions))

    def _counted(self, log: str, sent: Sent, held: int | None) -> list[Piece]:
        """``held``: what is still set aside for the ticket; None: no more, and the account knows."""
        covered = min(held or 0, sent.nbytes)
        mark = {"pk": f"METERED#{log}", "sk": f"{sent.ticket}#{sent.day}", "ttl": int(time.time()) + MARK_SECONDS}
        row = typed({"pk": f"USAGE#{sent.owner}", "sk": f"{sent.day}#{sent.export_id}"})
        count = {":nbytes": sent.nbytes}
        both = {**count, ":more": sent.nbytes - covered}
        pieces: list[Piece] = [
            {"Put": self._where({"Item": typed(mark)}, "attribute_not_exists(pk)")},
            self._update(row, "ADD #nbytes :nbytes, #requests :requests", {**count, ":requests": sent.requests}),
            self._update(_month(sent.owner, sent.ticket), "ADD #used :nbytes, #total :more", both),
        ]
        if held is not None:
            pieces.append(self._release(sent.owner, sent.ticket, held, covered))
        if sent.ticket.link_id and self._links.find(sent.export_id, sent.ticket.link_id):
            key = link_key(sent.export_id, sent.ticket.link_id)
            pieces.append(self._update(key, "ADD #sent :nbytes, #total :more", both, "attribute_exists(pk)"))
        return pieces

    def _release(self, owner: str, ticket: Ticket, held: int, less: int) -> Piece:
        """Set ``less`` less aside, if it is still ``held``."""
        key = typed({"pk": f"TICKETS#{owner}", "sk": str(ticket)})
        if less < held:
            return self._update(key, "SET #held = :left", {":left": held - less, ":held": held}, "#held = :held")
        values = {"ExpressionAttributeValues": typed({":held": held}), "ExpressionAttributeNames": {"#held": "held"}}
        return {"Delete": self._where({"Key": key, **values}, "#held = :held")}

    def _where(self, piece: Piece, condition: str) -> Piece:
        return {"TableName": self._table, **piece, "ConditionExpression": condition}

    def _together(self, pieces: Sequence[Piece]) -> set[int]:
        """All of them or none; returns the positions of those whose conditions do not hold. Raises TransientError where
        others are at the same items all the time."""
        for attempt in range(TRIES):
            try:
                self._db.transact_write_items(TransactItems=list(pieces))
            except self._db.exceptions.TransactionCanceledException as error:
                codes = reasons_of(error)
                if refused := {at for at, code in enumerate(codes) if code == "ConditionalCheckFailed"}:
                    return refused
                if "TransactionConflict" not in codes:
                    raise
                time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - to meet nobody again
            else:
                return set()
        raise TransientError("too many downloads are beginning at once; try again")

    # What is set aside ---------------------------------------------------------------------------------------------

    def _lapse(self, owner: str, at: dt.datetime) -> None:
        """Give back what was set aside so long ago that no log will tell of it any more."""
        answer = self._db.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk < :until",
            ExpressionAttributeValues=typed(
                {":pk": f"TICKETS#{owner}", ":until": str(Ticket.new(at - HOLD)).split(".")[0]}
            ),
            Limit=LAPSED_AT_ONCE,
            ConsistentRead=True,
        )
        for item in map(plain, answer["Items"]):
            if ticket := Ticket.read(item["sk"]):
                self._give_back(owner, item["export_id"], ticket, item["held"])

    def _give_back(self, owner: str, export_id: str, ticket: Ticket, held: int) -> None:
        less = {":less": -held}
        pieces = [
            self._release(owner, ticket, held, held),
            self._update(_month(owner, ticket), "ADD #total :less", less),
        ]
        if ticket.link_id and self._links.find(export_id, ticket.link_id):
            key = link_key(export_id, ticket.link_id)
            pieces.append(self._update(key, "ADD #total :less", less, "attribute_exists(pk)"))
        self._together(pieces)  # refused: another did it, or the link is gone, and the next look does it

    def _held(self, owner: str, ticket: Ticket) -> int | None:
        held: int | None = plain(self._get(typed({"pk": f"TICKETS#{owner}", "sk": str(ticket)}))).get("held")
        return held

    def _get(self, key: Item) -> Item:
        item: Item = self._db.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {})
        return item

    # Why not -------------------------------------------------------------------------------------------------------

    def _no_room(self, owner: str, ticket: Ticket, nbytes: int) -> RateLimited:
        account = model_of(MonthAccount, self._get(_month(owner, ticket)))
        left = max(self._limit - account.total, 0)
        until = _end_of_month(ticket.issued_at)
        if account.used + nbytes <= self._limit:  # it is what others have been given that is in the way
            until = min(until, ticket.issued_at + HOLD)
        return RateLimited(
            f"{nbytes:,} bytes are more than the {left:,} that are left of this month's {self._limit:,}; there is room "
            f"again at {until:%Y-%m-%dT%H:%MZ} at the latest",
            details={"retry_after": max(1, int((until - now()).total_seconds()))},
        )

    def _used_up(self, link: LinkRecord, nbytes: int) -> RateLimited | NotFound:
        known = self._links.find(link.export_id, link.link_id)
        downloads = known is None or (known.max_downloads is not None and known.downloads >= known.max_downloads)
        if known is None or downloads or (known.max_bytes is not None and known.sent + nbytes > known.max_bytes):
            return NotFound("the link is used up")
        return RateLimited(
            "the rest of this link's bytes is set aside for downloads that have begun; try again later",
            details={"retry_after": int(HOLD.total_seconds())},
        )


def _month(owner: str, ticket: Ticket) -> Item:
    """Bytes count in the month in which the redirect was given, so that they are counted where they are set aside."""
    return typed({"pk": f"TRAFFIC#{owner}#{ticket.issued_at.astimezone(dt.UTC):%Y%m}", "sk": "META"})


def _end_of_month(at: dt.datetime) -> dt.datetime:
    begun = at.astimezone(dt.UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (begun + dt.timedelta(days=32)).replace(day=1)
