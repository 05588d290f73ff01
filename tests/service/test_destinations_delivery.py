"""Exports on their way to destinations: to a place in memory, with all that may go wrong on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cutline.errors import BadCredentials, QuotaExceeded, TransientError
from cutline.models.destination import DestinationRecord, SftpSettings
from cutline.models.record import DeliveryRecord, ExportRecord, Failure, now
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.deliveries import Deliveries
from cutline.store.destinations import Destinations
from cutline.store.records import Records
from functions.deliver.handler import handler
from tests.support.destinations import Place
from tests.support.exports import COG, make_cog, make_export
from tests.support.steps import Context

HOME = "0123456789ab" * 2
TASK = {"what": "deliver", "export_id": "e1", "attempt": 1, "delivery_id": "d1", "cog_href": "s3://b/k.tif",
        "execution": "e1-1"}  # fmt: skip
SFTP = SftpSettings(
    host="files.example.org", username="anna", host_key="ssh-ed25519 AAAA", prefix="exports/{date}/{id}"
)


@pytest.fixture
def export(aws: ServiceSettings, place: Place) -> ExportRecord:
    """DELIVERING, with a delivery d1 to a destination of its owner."""
    record = make_cog(aws, make_export(status="DELIVERING"))
    Destinations(aws.table).create(
        DestinationRecord(
            destination_id=HOME, owner="anna", name="home", settings=SFTP, external_id="x", created_at=now()
        )
    )
    client("s3").put_object(Bucket=aws.exports_bucket, Key="anna/e1/north field.json", Body=b'{"id": "north field"}')
    etag = client("s3").head_object(Bucket=aws.exports_bucket, Key="anna/e1/north field.tif")["ETag"]
    record = Records(aws.table).change(record, result=record.result.model_copy(update={"etag": etag}))
    Records(aws.table).put_delivery(
        "e1",
        DeliveryRecord(
            delivery_id="d1", kind="sftp", destination_id=HOME, prefix=SFTP.prefix, state="pending", attempt=1
        ),
    )
    return record


def delivery() -> DeliveryRecord:
    from cutline.settings import service

    return Deliveries(service().table, "e1").get("d1")


def step(*milliseconds: int, **task: Any) -> dict[str, Any]:
    return handler({**TASK, **task}, Context(*milliseconds))


DONE, MISSED, ON = (
    {"done": True, "delivered": True, "wait": 0},
    {"done": True, "delivered": False, "wait": 0},
    {"done": False, "delivered": False, "wait": 0},
)


def test_a_cog_arrives_with_its_item_and_a_manifest(export: ExportRecord, place: Place) -> None:
    for _ in range(2):
        assert step() == DONE
    path = f"exports/{export.created_at:%Y-%m-%d}/e1/north field"
    assert place.files.keys() == {f"{path}.tif", f"{path}.json", f"{path}.manifest.json"}
    assert place.files[f"{path}.tif"] == COG
    manifest = json.loads(place.files[f"{path}.manifest.json"])
    assert manifest["export"] == "e1"
    assert [(each["name"], each["bytes"]) for each in manifest["files"]] == [
        ("north field.tif", len(COG)),
        ("north field.json", len(b'{"id": "north field"}')),
    ]
    found = delivery()
    assert (found.state, found.nbytes, found.uri, found.cursor) == ("done", len(COG), f"place://{path}.tif", {})
    assert len(place.made) == 1, "what has arrived is not brought again"


def test_a_prefix_of_the_delivery_stands_instead_of_the_destinations(
    export: ExportRecord, aws: ServiceSettings, place: Place
) -> None:
    Records(aws.table).put_delivery("e1", delivery().model_copy(update={"prefix": ""}))
    assert step() == DONE
    assert "north field.tif" in place.files


def test_it_goes_on_over_many_invocations(export: ExportRecord, place: Place) -> None:
    place.piece = 4
    for round_ in range(1, 6):
        assert step(5000, 0) == ON, round_  # time for one piece
        assert (delivery().state, delivery().cursor) == ("running", {"done": 4 * round_})
    while (ended := step(5000, 5000, 0)) == ON:
        pass
    assert ended == DONE
    assert COG in place.files.values()


def test_what_passes_is_tried_again_from_where_it_was(export: ExportRecord, place: Place) -> None:
    place.piece = 4
    assert step(5000, 0) == ON
    place.failing = [TransientError("busy")]
    with pytest.raises(TransientError):
        step()
    assert (delivery().state, delivery().error.message, delivery().cursor) == ("running", "busy", {"done": 4})
    assert step() == DONE
    assert delivery().error is None


@pytest.mark.parametrize("error", [BadCredentials("the token was revoked"), QuotaExceeded("20 more bytes are needed")])
def test_what_does_not_pass_fails_this_delivery_alone(export: ExportRecord, place: Place, error: Any) -> None:
    place.failing = [error]
    assert step() == MISSED
    assert (delivery().state, delivery().error) == ("failed", Failure(code=error.code, message=error.message))
    assert delivery().cursor == {}


def test_a_destination_that_is_gone_fails_it(export: ExportRecord, aws: ServiceSettings, place: Place) -> None:
    Destinations(aws.table).delete(Destinations(aws.table).get("anna", HOME))
    assert step() == MISSED
    assert delivery().error.message == f"there is no destination {HOME}"


def test_a_cog_that_has_changed_is_not_delivered(export: ExportRecord, aws: ServiceSettings, place: Place) -> None:
    client("s3").put_object(Bucket=aws.exports_bucket, Key="anna/e1/north field.tif", Body=b"x" * len(COG))
    assert step() == MISSED
    assert delivery().error.code == "incomplete-export"


def test_of_two_who_carry_it_the_later_goes_on(export: ExportRecord, aws: ServiceSettings, place: Place) -> None:
    """A Lambda whose state has timed out may still run."""
    place.piece = 4

    class Overtaken(Context):
        """After its first piece, another invocation begins and writes."""

        asked = 0

        def get_remaining_time_in_millis(self) -> int:
            self.asked += 1
            if self.asked == 2:
                assert step(5000, 0) == ON
            return 60_000

    assert handler(TASK, Overtaken()) == ON
    assert delivery().cursor == {"done": 8}, "the first has written once, the second once, and the first no more"
    assert place.abandoned == []
    assert step() == DONE


def test_cancelled_on_the_way_nothing_half_written_stays(
    export: ExportRecord, aws: ServiceSettings, place: Place
) -> None:
    place.piece = 4

    class Cancelled(Context):
        asked = 0

        def get_remaining_time_in_millis(self) -> int:
            self.asked += 1
            if self.asked == 2:
                Records(aws.table).move(export, "CANCELLED")
                gone = Failure(code="cancelled", message="cancelled")
                Deliveries(aws.table, "e1").fail(delivery(), gone)
            return 60_000

    assert handler(TASK, Cancelled()) == MISSED
    assert [cursor for _, cursor in place.abandoned] == [{"done": 4}]
    assert place.files == {}
    assert delivery().error.code == "cancelled"
    assert step() == MISSED


def test_nothing_is_brought_for_another_attempt(export: ExportRecord, place: Place) -> None:
    assert step(attempt=2) == MISSED
    assert place.files == {}
