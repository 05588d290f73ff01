"""A finished COG is brought to its targets."""

from __future__ import annotations

from cutline.models.record import DeliveryRecord
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.records import Records
from functions.deliver.handler import handler
from tests.support.exports import COG, make_cog, make_export
from tests.support.steps import Context

TASK = {"what": "deliver", "export_id": "e1", "attempt": 1, "delivery_id": "link-1", "cog_href": "s3://b/k.tif",
        "execution": "e1-1"}  # fmt: skip


def delivery(aws: ServiceSettings) -> DeliveryRecord:
    [found] = Records(aws.table).deliveries("e1")
    return found


def test_a_link_is_delivered_with_a_receipt(aws: ServiceSettings) -> None:
    make_cog(aws, make_export(status="DELIVERING"))
    for _ in range(2):
        assert handler(TASK, Context()) == {"done": True, "delivered": True, "wait": 0}
    found = delivery(aws)
    assert (found.state, found.nbytes, found.checksum) == ("done", len(COG), "crc64nvme:AAAAAAAAAAA=")
    assert found.uri == "https://api.example.org/exports/e1/download"
    assert found.at is not None and found.error is None


def test_a_cog_that_is_gone_is_not_delivered(aws: ServiceSettings) -> None:
    record = make_cog(aws, make_export(status="DELIVERING"))
    client("s3").delete_object(Bucket=aws.exports_bucket, Key=f"anna/e1/{record.name}.tif")
    assert handler(TASK, Context()) == {"done": True, "delivered": False, "wait": 0}
    found = delivery(aws)
    assert (found.state, found.error.code) == ("failed", "delivery-rejected")
    assert "retry makes it again" in found.error.message


def test_nothing_is_delivered_for_an_export_that_was_cancelled(aws: ServiceSettings) -> None:
    make_cog(aws, make_export(status="CANCELLED"))
    assert handler(TASK, Context()) == {"done": True, "delivered": False, "wait": 0}
    assert "CANCELLED" in delivery(aws).error.message
