"""Where a list goes on: a place in an index of the table, as text that a user hands back."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence

from cutline.errors import InvalidRequest
from cutline.store.items import META, Item, plain, typed

KEY = re.compile(r"[\w#:.+-]{1,200}", re.ASCII)


def text_of(place: Sequence[str]) -> str:
    """A cursor that leads to ``place``, two keys of an index."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_of(cursor: str) -> tuple[str, str]:
    """Where a cursor leads to. Raises InvalidRequest for one that is none."""
    try:
        first, second = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not (KEY.fullmatch(first) and KEY.fullmatch(second)):  # DynamoDB itself refuses what is no key
            raise ValueError
    except (ValueError, TypeError) as error:
        raise stray_cursor() from error
    return first, second


def stray_cursor() -> InvalidRequest:
    """Of a cursor that no page of ours had."""
    return InvalidRequest("this cursor is none of ours; leave it out to begin anew", details={"parameter": "cursor"})


def cursor_of(last: Item | None) -> str | None:
    """For DynamoDB's LastEvaluatedKey on gsi1, or for the item that was read last; None at the end."""
    if not last:
        return None
    place = plain({name: last[name] for name in ("pk", "gsi1sk")})
    return text_of([place["pk"], place["gsi1sk"]])


def start_of(cursor: str | None, group: str) -> Item | None:
    """The ExclusiveStartKey for a ``cursor`` in the group (gsi1pk) of its reader, whatever the cursor says of that: who
    sends another's sees nothing of them. Raises InvalidRequest."""
    if not cursor:
        return None
    pk, place = place_of(cursor)
    return typed({"pk": pk, "sk": META, "gsi1pk": group, "gsi1sk": place})
