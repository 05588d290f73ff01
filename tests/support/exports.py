"""Exports in the table as submitting, planning and assembling leave them, for tests of what comes after."""

from __future__ import annotations

import json
from typing import Any

from cutline.models.record import DeliveryRecord, ExportRecord, Result, now
from cutline.settings import ServiceSettings, service
from cutline.store.clients import client
from cutline.store.quotas import Quotas
from cutline.store.records import Records

COG = b"II*\0 the bytes of a COG"


def make_state_machine(monkeypatch: Any, definition: str | None = None) -> str:
    """One whose executions moto keeps RUNNING; its ARN, which is in the settings from then on."""
    role = client("iam").create_role(RoleName="states", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    idle = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    made = client("stepfunctions").create_state_machine(
        name="cutline-test", definition=definition or json.dumps(idle), roleArn=role
    )
    monkeypatch.setenv("CUTLINE_STATE_MACHINE", made["stateMachineArn"])
    return str(made["stateMachineArn"])


def make_export(export_id: str = "e1", *, owner: str = "anna", status: Any = "PENDING", **more: Any) -> ExportRecord:
    """An export with one delivery, which counts among those that run."""
    settings = service()
    record = ExportRecord(
        export_id=export_id, attempt=1, owner=owner, name="north field", status=status, created_at=now(),
        updated_at=now(), request_href=f"s3://{settings.exports_bucket}/{owner}/{export_id}/request.json", **more,
    )  # fmt: skip
    records = Records(settings.table)
    store(record)
    records.put_delivery(export_id, DeliveryRecord(delivery_id="link-1", kind="link", state="pending", attempt=1))
    Quotas(settings.table, settings.limits).reserve_export(record)
    put(settings.exports_bucket, f"{owner}/{export_id}/request.json", b"{}")
    return record


def store(record: ExportRecord) -> None:
    """Put a record into the table as claiming does, without a claim."""
    table = service().table
    client("dynamodb").put_item(TableName=table, Item=Records(table).item(record))


def make_cog(settings: ServiceSettings, record: ExportRecord) -> ExportRecord:
    """The export's COG and item are there, and its record says so."""
    key = f"{record.owner}/{record.export_id}/{record.name}"
    put(settings.exports_bucket, f"{key}.tif", COG)
    put(settings.exports_bucket, f"{key}.json", b"{}")
    href = f"s3://{settings.exports_bucket}/{key}"
    result = Result(
        cog_href=f"{href}.tif", item_href=f"{href}.json", etag="0", nbytes=len(COG), crc64nvme="AAAAAAAAAAA=",
        segments_sha256="00",
    )  # fmt: skip
    return Records(settings.table).change(record, result=result)


def put(bucket: str, key: str, body: bytes) -> None:
    client("s3").put_object(Bucket=bucket, Key=key, Body=body)


def keys(bucket: str, prefix: str = "") -> list[str]:
    """Of all objects under ``prefix``."""
    found = client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [each["Key"] for each in found.get("Contents", ())]


def uploads(bucket: str) -> list[str]:
    """The keys of multipart uploads that nobody completed or aborted."""
    return [each["Key"] for each in client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", ())]
