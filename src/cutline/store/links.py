"""Share links in the table, beside the export whose file they lead to: they go when it goes.

EXPORT#id  LINK#link_id    one link
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from cutline.errors import NotFound
from cutline.models.traffic import LinkRecord
from cutline.store.clients import client
from cutline.store.faults import REFUSED
from cutline.store.items import Item, item_of, model_of, typed
from cutline.store.records import export_key


class Links:
    """Those of all exports."""

    def __init__(self, table: str) -> None:
        self._table, self._db = table, client("dynamodb")

    def create(self, link: LinkRecord) -> None:
        """Raises NotFound where the export is gone, which would have taken the link with it."""
        keys = {"pk": f"EXPORT#{link.export_id}", "sk": f"LINK#{link.link_id}"}
        self._db.put_item(TableName=self._table, Item=item_of(link, **keys))
        record = export_key(link.export_id)
        answer = self._db.get_item(TableName=self._table, Key=record, ConsistentRead=True, ProjectionExpression="pk")
        if "Item" not in answer:  # who deletes an export looks for links once more when its record is gone
            self._db.delete_item(TableName=self._table, Key=link_key(link.export_id, link.link_id))
            raise NotFound(f"there is no export {link.export_id}")

    def find(self, export_id: str, link_id: str) -> LinkRecord | None:
        key = link_key(export_id, link_id)
        found = self._db.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return model_of(LinkRecord, found) if found else None

    def of_export(self, export_id: str) -> list[LinkRecord]:
        """Oldest first."""
        pages = self._db.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :part)",
            ExpressionAttributeValues=typed({":pk": f"EXPORT#{export_id}", ":part": "LINK#"}),
            ConsistentRead=True,
        )
        links = [model_of(LinkRecord, item) for page in pages for item in page["Items"]]
        return sorted(links, key=lambda link: link.created_at)

    def delete(self, export_id: str, link_id: str) -> None:
        """Raises NotFound."""
        try:
            self._db.delete_item(
                TableName=self._table,
                Key=link_key(export_id, link_id),
                ConditionExpression="attribute_exists(pk)",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
            raise NotFound(f"export {export_id} has no link {link_id}") from error


def link_key(export_id: str, link_id: str) -> Item:
    return typed({"pk": f"EXPORT#{export_id}", "sk": f"LINK#{link_id}"})
