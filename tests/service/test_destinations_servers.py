"""An export to real servers of two kinds, by the function deliver: over many invocations, its secret kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from cutline.cog.checksum import crc64_text
from cutline.deliver import s3_upload, sftp
from cutline.kernel import crc64
from cutline.models.destination import DestinationRecord, S3Secret, S3Settings
from cutline.models.record import DeliveryRecord, ExportRecord, Failure, now
from cutline.service import credentials, ending
from cutline.settings import ServiceSettings
from cutline.store import lambdas
from cutline.store.clients import client
from cutline.store.deliveries import Deliveries
from cutline.store.destinations import Destinations
from cutline.store.records import Records
from functions.deliver.handler import handler
from tests.support.exports import make_cog, make_export, make_state_machine, put
from tests.support.journey import content
from tests.support.second_s3 import BUCKET, KEY, REGION, SECRET, SecondS3, second_s3
from tests.support.sftp_server import PASSWORD, SftpServer, sftp_server
from tests.support.steps import Context

__all__ = ["second_s3", "sftp_server"]

HOME = "0123456789ab" * 2
TASK = {"what": "deliver", "export_id": "e1", "attempt": 1, "delivery_id": "d1", "cog_href": "s3://b/k.tif",
        "execution": "e1-1"}  # fmt: skip
COG = content(41 * 1024)
PIECES = 6
LEAF = "exports/e1/north field.tif"


@pytest.fixture(params=["s3", "sftp"])
def found(
    request: pytest.FixtureRequest,
    second_s3: SecondS3,
    sftp_server: SftpServer,
    aws: ServiceSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], bytes]:
    """An export with a delivery to a server, as it is before the first invocation; what comes there, when asked."""
    monkeypatch.setenv("CUTLINE_PRIVATE_HOSTS", "1")
    monkeypatch.setattr(s3_upload, "_SENT", (8 * 1024,))
    monkeypatch.setattr(sftp, "_PIECE", 8 * 1024)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 5 * 1024)
    second_s3.create(BUCKET)  # moto has begun anew for ``aws``, which has to come after it
    settings: Any = sftp_server.settings(prefix="exports/{id}")
    secret: Any = sftp_server.secret()
    if request.param == "s3":
        settings = S3Settings(bucket=BUCKET, region=REGION, prefix="exports/{id}", endpoint=second_s3.url)
        secret = S3Secret(access_key_id=SecretStr(KEY), secret_access_key=SecretStr(SECRET))
    home = DestinationRecord(
        destination_id=HOME, owner="anna", name="home", settings=settings, external_id="x", created_at=now()
    )
    credentials.keep(home, secret, Destinations(aws.table).create)
    make_delivery(aws, request.param)
    return lambda: (
        second_s3.content(LEAF) if request.param == "s3" else (sftp_server.root / LEAF).read_bytes()
    )  # fmt: skip


def make_delivery(aws: ServiceSettings, kind: str) -> None:
    record = make_cog(aws, make_export(status="DELIVERING"))
    put(aws.exports_bucket, "anna/e1/north field.tif", COG)
    etag = client("s3").head_object(Bucket=aws.exports_bucket, Key="anna/e1/north field.tif")["ETag"]
    true = {"etag": etag, "nbytes": len(COG), "crc64nvme": crc64_text(crc64(COG))}
    Records(aws.table).change(record, result=record.result.model_copy(update=true))
    Records(aws.table).put_delivery(
        "e1",
        DeliveryRecord(
            delivery_id="d1", kind=kind, destination_id=HOME, prefix="exports/{id}", state="pending", attempt=1
        ),
    )


def test_over_many_invocations(
    found: Callable[[], bytes], aws: ServiceSettings, caplog: pytest.LogCaptureFixture
) -> None:
    cursors = []
    for _ in range(PIECES - 1):
        assert handler(TASK, Context(900_000, 0)) == {"done": False, "delivered": False, "wait": 0}
        cursors.append(Deliveries(aws.table, "e1").get("d1").cursor)
    assert handler(TASK, Context()) == {"done": True, "delivered": True, "wait": 0}
    assert found() == COG
    delivery = Deliveries(aws.table, "e1").get("d1")
    assert delivery.checksum == f"crc64nvme:{crc64_text(crc64(COG))}"
    assert [cursor["nbytes"] for cursor in cursors] == [8 * 1024 * done for done in range(1, PIECES)]
    assert all(len(json.dumps(cursor)) < 500 for cursor in cursors)
    told = json.dumps(client("dynamodb").scan(TableName=aws.table)["Items"]) + caplog.text + json.dumps(cursors)
    assert SECRET not in told and PASSWORD not in told


@pytest.fixture
def half_written(
    found: Callable[[], bytes], second_s3: SecondS3, sftp_server: SftpServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], list[Any]]:
    """What is, at either server, where each part is written down."""
    monkeypatch.setattr(s3_upload, "_SAVED_EVERY", 1)
    return lambda: [*second_s3.uploads(), *(name for name in sftp_server.names() if name.endswith(".part"))]


@pytest.mark.parametrize(("ended", "stays"), [("the hour", True), ("cancelled", False), ("deleted", False)])
def test_what_is_half_written_stays_only_where_it_is_gone_on_from(
    found: Callable[[], bytes], half_written: Callable[[], list[Any]], aws: ServiceSettings, ended: str, stays: bool
) -> None:
    """The delivery ends while an invocation is at it, which goes on until it writes how far it is."""
    records, deliveries = Records(aws.table), Deliveries(aws.table, "e1")

    class Overtaken(Context):
        asked = 0

        def get_remaining_time_in_millis(self) -> int:
            self.asked += 1
            if self.asked == 4:
                if ended == "cancelled":
                    records.move(records.get("e1"), "CANCELLED")
                deliveries.fail(deliveries.get("d1"), Failure(code="timed-out", message="the hour has ended"))
                if ended == "deleted":
                    records.delete("e1")
            return 900_000

    assert handler(TASK, Overtaken()) == {"done": True, "delivered": False, "wait": 0}
    assert bool(half_written()) == stays
    if stays:
        deliveries.begin_again(deliveries.get("d1"), 1, anew=False)
        assert handler(TASK, Context()) == {"done": True, "delivered": True, "wait": 0}
        assert found() == COG


@pytest.mark.parametrize("end", [ending.cancel, ending.delete])
def test_between_two_invocations_nothing_half_written_stays(
    half_written: Callable[[], list[Any]],
    aws: ServiceSettings,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[ExportRecord, str], Any],
) -> None:
    make_state_machine(monkeypatch)
    monkeypatch.setattr(lambdas, "start", lambda _, payload: handler(json.loads(json.dumps(payload)), Context()))
    handler(TASK, Context(900_000, 0))
    assert half_written()
    record = Records(aws.table).get("e1")
    end(record if end is ending.cancel else Records(aws.table).move(record, "ERROR"), "anna")
    assert half_written() == []
    assert handler(TASK, Context()) == {"done": True, "delivered": False, "wait": 0}


def test_a_prefix_that_is_changed_on_the_way_is_of_the_next_delivery(
    found: Callable[[], bytes], half_written: Callable[[], list[Any]], aws: ServiceSettings
) -> None:
    handler(TASK, Context(900_000, 0))
    destinations = Destinations(aws.table)
    home = destinations.get("anna", HOME)
    moved = home.settings.model_copy(update={"prefix": "moved/{id}"})
    destinations.change(home.model_copy(update={"settings": moved}))
    assert handler(TASK, Context()) == {"done": True, "delivered": True, "wait": 0}
    assert found() == COG, "in its old place"
    assert half_written() == []
