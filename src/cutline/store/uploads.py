"""Uploads and presets in the table::

UPLOAD#id     META      one file           gsi1 OWNERUPLOADS#sub, created_at#id
PRESET#owner  name      a stored request
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cutline.errors import NotFound
from cutline.models.record import Failure, now
from cutline.models.upload import PresetRecord, UploadRecord
from cutline.store.clients import client
from cutline.store.faults import conflict
from cutline.store.items import META, Item, item_of, model_of, stamp, typed
from cutline.store.pages import cursor_of, start_of

WAITING_DAYS = 7


class Uploads:
    """What became of the files that users sent."""

    def __init__(self, table: str) -> None:
        self.table, self._db = table, client("dynamodb")

    def create(self, record: UploadRecord) -> None:
        """Raises Conflict where the id is taken. A file that never comes is forgotten after some days."""
        forgotten = int(record.created_at.timestamp()) + WAITING_DAYS * 86_400
        self._put(record, "attribute_not_exists(pk)", {}, f"upload {record.upload_id} exists already", ttl=forgotten)

    def get(self, upload_id: str) -> UploadRecord:
        """Raises NotFound."""
        found = self._db.get_item(TableName=self.table, Key=_key(upload_id), ConsistentRead=True).get("Item")
        if not found:
            raise NotFound(f"there is no upload {upload_id}")
        return model_of(UploadRecord, found)

    def settle(self, before: UploadRecord, after: UploadRecord) -> None:
        """Keep what was read of a file. Raises Conflict where another reader has meanwhile come to an end."""
        condition = "content = :before" if before.content else "attribute_exists(pk) AND attribute_not_exists(content)"
        values = {":before": before.content} if before.content else {}
        self._put(after, condition, values, f"upload {after.upload_id} was read by another meanwhile")

    def exported(self, record: UploadRecord, *, export_id: str | None = None, error: Failure | None = None) -> None:
        """Keep which export it became, or why it became none. Raises Conflict where another content has come since."""
        told = {"export_id": export_id, "error": error and error.model_dump(mode="json", exclude_none=True)}
        kept = {"updated_at": stamp(now()), **{name: value for name, value in told.items() if value is not None}}
        gone = [name for name in told if name not in kept]
        try:
            self._db.update_item(
                TableName=self.table,
                Key=_key(record.upload_id),
                UpdateExpression=f"SET {', '.join(f'#{name} = :{name}' for name in kept)} "
                f"REMOVE {', '.join(f'#{name}' for name in gone)}",
                ConditionExpression="content = :content",
                ExpressionAttributeNames={f"#{name}": name for name in (*kept, *gone)},
                ExpressionAttributeValues=typed(
                    {":content": record.content, **{f":{name}": value for name, value in kept.items()}}
                ),
            )
        except ClientError as refused:
            raise conflict(refused, f"upload {record.upload_id} has other content now") from refused

    def delete(self, record: UploadRecord) -> None:
        """Raises Conflict where other content has come since, or another export."""
        known = {name: value for name in ("content", "export_id") if (value := getattr(record, name)) is not None}
        same = [f"{name} = :{name}" for name in known]
        none = [f"attribute_not_exists({name})" for name in ("content", "export_id") if name not in known]
        try:
            self._db.delete_item(
                TableName=self.table,
                Key=_key(record.upload_id),
                ConditionExpression=" AND ".join(same + none),
                **(
                    {"ExpressionAttributeValues": typed({f":{name}": each for name, each in known.items()})}
                    if known
                    else {}
                ),
            )
        except ClientError as error:
            raise conflict(error, f"upload {record.upload_id} has changed meanwhile; look at it again") from error

    def of_owner(
        self, owner: str, *, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[UploadRecord], str | None]:
        """The owner's uploads, newest first, and where to go on. Raises InvalidRequest for a cursor that is none."""
        start = start_of(cursor, _group(owner))
        answer = self._db.query(
            TableName=self.table,
            IndexName="gsi1",
            KeyConditionExpression="gsi1pk = :group",
            ExpressionAttributeValues=typed({":group": _group(owner)}),
            ScanIndexForward=False,
            Limit=limit,
            **({"ExclusiveStartKey": start} if start else {}),
        )
        return [model_of(UploadRecord, item) for item in answer["Items"]], cursor_of(answer.get("LastEvaluatedKey"))

    def _put(self, record: UploadRecord, condition: str, values: dict[str, Any], refused: str, **more: Any) -> None:
        created = record.model_dump(mode="json")["created_at"]
        keys = {"pk": f"UPLOAD#{record.upload_id}", "sk": META}
        index = {"gsi1pk": _group(record.owner), "gsi1sk": f"{created}#{record.upload_id}"}
        try:
            self._db.put_item(
                TableName=self.table,
                Item=item_of(record, **keys, **index) | typed(more),
                ConditionExpression=condition,
                **({"ExpressionAttributeValues": typed(values)} if values else {}),
            )
        except ClientError as error:
            raise conflict(error, refused) from error


class Presets:
    """Requests that users keep under names."""

    def __init__(self, table: str) -> None:
        self.table, self._db = table, client("dynamodb")

    def put(self, record: PresetRecord) -> None:
        """Instead of what had that name."""
        self._db.put_item(TableName=self.table, Item=item_of(record, pk=f"PRESET#{record.owner}", sk=record.name))

    def get(self, owner: str, name: str) -> PresetRecord:
        """Raises NotFound."""
        key = typed({"pk": f"PRESET#{owner}", "sk": name})
        found = self._db.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        if not found:
            raise NotFound(f"there is no preset {name}; keep a request under that name with PUT /presets/{name}")
        return model_of(PresetRecord, found)

    def delete(self, owner: str, name: str) -> None:
        """Raises NotFound."""
        self.get(owner, name)
        self._db.delete_item(TableName=self.table, Key=typed({"pk": f"PRESET#{owner}", "sk": name}))

    def of_owner(self, owner: str) -> list[PresetRecord]:
        """By name."""
        pages = self._db.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=typed({":pk": f"PRESET#{owner}"}),
            ConsistentRead=True,
        )
        return [model_of(PresetRecord, item) for page in pages for item in page["Items"]]


def _key(upload_id: str) -> Item:
    return typed({"pk": f"UPLOAD#{upload_id}", "sk": META})


def _group(owner: str) -> str:
    return f"OWNERUPLOADS#{owner}"
