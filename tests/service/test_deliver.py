"""A finished COG is brought to its targets, and fetched by its link."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from cutline.errors import NotFound
from cutline.models.record import DeliveryRecord
from cutline.service import delivering
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.records import Records
from functions.deliver.handler import handler
from tests.support.exports import COG, make_cog, make_export
from tests.support.steps import Context

TASK = {"what": "deliver", "export_id": "e1", "attempt": 1, "delivery_id": "link-1", "cog_href": "s3://b/k.tif"}


def delivery(aws: ServiceSettings) -> DeliveryRecord:
    [found] = Records(aws.table).deliveries("e1")
    return found


def test_a_link_is_delivered_with_a_receipt(aws: ServiceSettings) -> None:
    make_cog(aws, make_export(status="DELIVERING"))
    for _ in range(2):
        assert handler(TASK, Context()) == {"done": True, "delivered": True}
    found = delivery(aws)
    assert (found.state, found.nbytes, found.checksum) == ("done", len(COG), "crc64nvme:AAAAAAAAAAA=")
    assert found.uri == "https://api.example.org/exports/e1/download"
    assert found.at is not None and found.error is None


def test_a_cog_that_is_gone_is_not_delivered(aws: ServiceSettings) -> None:
    record = make_cog(aws, make_export(status="DELIVERING"))
    client("s3").delete_object(Bucket=aws.exports_bucket, Key=f"anna/e1/{record.name}.tif")
    assert handler(TASK, Context()) == {"done": True, "delivered": False}
    found = delivery(aws)
    assert (found.state, found.error.code) == ("failed", "delivery-rejected")
    assert "retry makes it again" in found.error.message


def test_nothing_is_delivered_for_an_export_that_was_cancelled(aws: ServiceSettings) -> None:
    make_cog(aws, make_export(status="CANCELLED"))
    assert handler(TASK, Context()) == {"done": True, "delivered": False}
    assert "CANCELLED" in delivery(aws).error.message


def test_a_link_leads_to_the_file_under_its_name(aws: ServiceSettings) -> None:
    record = make_cog(aws, make_export(status="SUCCESS"))
    link = urlsplit(delivering.link_for(record))
    asked = parse_qs(link.query)
    assert link.path == "/anna/e1/north%20field.tif"
    assert asked["X-Amz-Expires"] == ["900"]
    assert asked["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    [disposition] = asked["response-content-disposition"]
    assert disposition == "attachment; filename=\"north field.tif\"; filename*=UTF-8''north%20field.tif"
    assert urlsplit(delivering.link_for(record, "item")).path == "/anna/e1/north%20field.json"


def test_a_link_works(aws_server: ServiceSettings) -> None:
    record = make_cog(aws_server, make_export(status="SUCCESS"))
    with urlopen(delivering.link_for(record)) as answer:  # noqa: S310 - our own server's
        assert answer.read() == COG
        assert 'filename="north field.tif"' in answer.headers["Content-Disposition"]


def test_there_is_no_link_before_there_is_a_file(aws: ServiceSettings) -> None:
    with pytest.raises(NotFound, match="it is RENDERING"):
        delivering.link_for(make_export(status="RENDERING"))


@pytest.mark.parametrize(
    ("name", "plain", "encoded"),
    [
        ("Führich – Süd.tif", "Fuhrich  Sud.tif", "F%C3%BChrich%20%E2%80%93%20S%C3%BCd.tif"),
        ('a"b\\c\r\nX: y.tif', "a_b_c__X_ y.tif", "a%22b%5Cc%0D%0AX%3A%20y.tif"),
        ("東京.tif", "export.tif", "%E6%9D%B1%E4%BA%AC.tif"),
        ("../../etc/passwd.tif", "_.._etc_passwd.tif", "..%2F..%2Fetc%2Fpasswd.tif"),
    ],
)
def test_names_by_rfc_6266(name: str, plain: str, encoded: str) -> None:
    assert delivering.content_disposition(name) == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
