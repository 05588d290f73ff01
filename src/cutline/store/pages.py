"""Where a list goes on: a place in an index of the table, as text that a user hands back."""

from __future__ import annotations

import base64
import json
import re

from cutline.errors import InvalidRequest
from cutline.store.items import Item, plain, typed

KEY = re.compile(r"[\w#:.+-]{1,200}", re.ASCII)


def cursor_of(last: Item | None) -> str | None:
    """For DynamoDB's LastEvaluatedKey on gsi1; None at the end."""
    if not last:
        return None
    place = plain(last)
    text = json.dumps([place["pk"], place["gsi1sk"]])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def start_of(cursor: str | None, group: str) -> Item | None:
    """The ExclusiveStartKey for a ``cursor`` in the group (gsi1pk) of its reader, whatever the cursor says of that: who
    sends another's sees nothing of them. Raises InvalidRequest."""
    if not cursor:
        return None
    try:
        pk, place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not (KEY.fullmatch(pk) and KEY.fullmatch(place)):  # DynamoDB itself refuses what is no key
            raise ValueError
        return typed({"pk": pk, "sk": "META", "gsi1pk": group, "gsi1sk": place})
    except (ValueError, TypeError) as error:
        raise InvalidRequest("this cursor is none of ours; leave it out to begin anew", pointer="/cursor") from error
