"""A COG comes to a bucket of another account whole and once: by role or keys, copied or sent, however often cut off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cutline.deliver import s3_upload
from cutline.deliver.s3_upload import cut_to_copy, cut_to_send
from cutline.errors import Conflict, DeliveryRejected
from tests.support.journey import ITEM, MANIFEST, PATH, Journey, content, parcel, pieces
from tests.support.s3_journeys import (
    COG,
    KIB,
    MIB,
    NAMES,
    OURS,
    PARCEL,
    PARTS,
    TIF,
    TRUE_SIZES,
    by_keys,
    by_role,
    elsewhere,
    small_parts,
)
from tests.support.second_s3 import ACCOUNT, BUCKET, REGION, SecondS3, second_s3

__all__ = ["second_s3", "small_parts"]


@pytest.mark.parametrize("enter", [by_role, by_keys])
def test_arrives_with_what_goes_beside_it(second_s3: SecondS3, enter: Any) -> None:
    arrival = Journey(PARCEL).go_on(enter())
    assert arrival is not None
    assert arrival.uri == f"s3://{BUCKET}/{TIF}"
    assert arrival.checksum == f"crc64nvme:{PARCEL.crc64nvme}"
    assert second_s3.keys() == NAMES
    assert [second_s3.content(name) for name in NAMES] == [ITEM, MANIFEST, COG]
    assert second_s3.operations().count("UploadPart") == PARTS
    assert second_s3.uploads() == []


def test_the_manifest_is_last(second_s3: SecondS3) -> None:
    Journey(PARCEL).go_on(by_role())
    assert [request.path.rpartition("/")[2] for _, request in second_s3.asked[-2:]] == [
        "field.json",
        "field.manifest.json",
    ]


def test_what_its_credentials_may_read_is_copied_by_s3_itself(second_s3: SecondS3) -> None:
    second_s3.create(PARCEL.bucket)
    second_s3.put(PARCEL.bucket, PARCEL.key, COG)
    second_s3.readable = frozenset({OURS})
    unread = replace(PARCEL, read=lambda start, end: pytest.fail("it passed through us"))
    arrival = Journey(unread).go_on(by_role())
    assert arrival is not None and arrival.checksum == f"crc64nvme:{PARCEL.crc64nvme}"
    assert second_s3.content(TIF) == COG
    copies = [request for operation, request in second_s3.asked if operation == "UploadPartCopy"]
    assert [request.headers["x-amz-copy-source-if-match"] for request in copies] == ['"etag-1"']


def test_an_s3_of_another_provider_is_not_asked_for_our_bucket(second_s3: SecondS3) -> None:
    arrival = Journey(PARCEL).go_on(elsewhere(second_s3))
    assert arrival is not None and second_s3.content(TIF) == COG
    assert "UploadPartCopy" not in second_s3.operations()


def test_an_s3_without_this_checksum_knows_the_cog_by_its_metadata(second_s3: SecondS3) -> None:
    second_s3.keeps_checksums = False
    for _ in range(2):
        arrival = Journey(PARCEL).go_on(elsewhere(second_s3))
        assert arrival is not None
        assert arrival.checksum == "etag:" + second_s3.object(TIF).etag.strip('"')
    assert second_s3.operations().count("UploadPart") == PARTS


def test_what_the_owner_wants_of_each_object(second_s3: SecondS3) -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    Journey(PARCEL).go_on(by_role(kms_key=key, storage_class="STANDARD_IA", tags={"project": "a b"}))
    for name in NAMES:
        found = second_s3.object(name)
        assert (found.encryption, found.kms_key_id, found.storage_class) == ("aws:kms", key, "STANDARD_IA")
    written = [request for operation, request in second_s3.asked if operation in ("CreateMultipartUpload", "PutObject")]
    assert [request.headers["x-amz-tagging"] for request in written] == ["project=a+b"] * 3
    assert {request.headers.get("x-amz-expected-bucket-owner") for _, request in second_s3.asked} == {ACCOUNT}


def test_twice_is_once(second_s3: SecondS3) -> None:
    first = Journey(PARCEL).go_on(by_role())
    assert Journey(PARCEL).go_on(by_role()) == first
    assert second_s3.operations().count("UploadPart") == PARTS
    assert second_s3.keys() == NAMES


@pytest.mark.parametrize(
    "wanted", [{"kms_key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"}, {"storage_class": "STANDARD_IA"}]
)
def test_kept_in_another_way_it_is_brought_again(second_s3: SecondS3, wanted: dict[str, str]) -> None:
    Journey(PARCEL).go_on(by_role())
    for _ in range(2):
        assert Journey(PARCEL).go_on(by_role(**wanted)) is not None
    found = second_s3.object(TIF)
    assert wanted in ({"kms_key": found.kms_key_id}, {"storage_class": found.storage_class})
    assert second_s3.operations().count("CompleteMultipartUpload") == 2
    assert Journey(PARCEL).go_on(by_role(storage_class=found.storage_class)) is not None
    assert second_s3.operations().count("CompleteMultipartUpload") == 2, "without a key, any will do"


def test_all_that_is_put_is_checked(second_s3: SecondS3) -> None:
    """A bucket with Object Lock takes nothing without a checksum."""
    by_role().verify()
    Journey(PARCEL).go_on(by_role())
    written = [request for operation, request in second_s3.asked if operation in ("PutObject", "UploadPart")]
    assert len(written) == 1 + PARTS + 2
    assert all("Content-MD5" in request.headers for request in written)


def test_another_content_of_that_name_is_replaced(second_s3: SecondS3) -> None:
    second_s3.put(BUCKET, TIF, bytes(len(COG)))
    Journey(PARCEL).go_on(by_role())
    assert second_s3.content(TIF) == COG


def test_five_invocations_that_end_too_early(second_s3: SecondS3) -> None:
    journey = Journey(PARCEL)
    for done in range(1, PARTS):
        assert journey.go_on(by_role(), pieces(1)) is None
        assert journey.cursor["nbytes"] == done * 8 * KIB
    assert journey.go_on(by_role(), pieces(1)) is not None
    assert second_s3.content(TIF) == COG
    assert second_s3.operations().count("UploadPart") == PARTS


def test_five_invocations_that_are_killed(second_s3: SecondS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_upload, "_THREADS", 1)  # so that a piece is done when the next begins
    journey = Journey(PARCEL)
    for _ in range(5):
        journey.killed(by_role, tmp_path / "cursor", pieces=1)
    assert journey.go_on(by_role()) is not None
    assert second_s3.content(TIF) == COG
    assert second_s3.operations().count("UploadPart") == PARTS
    assert second_s3.uploads() == []


def test_killed_after_it_was_completed(second_s3: SecondS3) -> None:
    journey = Journey(PARCEL)
    journey.go_on(by_role(), pieces(PARTS))
    journey.save({"upload": "completed", "part": 8 * KIB, "copied": False, "nbytes": len(COG)})
    assert journey.go_on(by_role()) is not None
    assert second_s3.operations().count("CompleteMultipartUpload") == 1


def test_who_is_no_longer_wanted_leaves_the_upload_to_the_other(second_s3: SecondS3) -> None:
    journey = Journey(PARCEL)
    journey.go_on(by_role(), pieces(2))

    def refuse(cursor: object) -> None:
        raise Conflict("another carries it")

    journey.save = refuse  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        journey.go_on(by_role())
    assert len(second_s3.uploads()) == 1


def test_what_is_given_up_is_removed(second_s3: SecondS3) -> None:
    journey = Journey(PARCEL)
    journey.go_on(by_role(), pieces(2))
    for _ in range(2):
        by_role().abandon(PATH, journey.cursor)
    assert second_s3.uploads() == []
    by_role().abandon(PATH, {})


def test_verify_leaves_nothing(second_s3: SecondS3) -> None:
    by_role(tags={"a": "b"}).verify()
    by_keys().verify()
    elsewhere(second_s3).verify()
    assert second_s3.keys() == [] and second_s3.uploads() == []


def test_a_bucket_does_not_tell_its_room(second_s3: SecondS3) -> None:
    assert by_role().room() is None


def test_true_sizes(second_s3: SecondS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_upload, "_SENT", TRUE_SIZES)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 5 * MIB)
    large = parcel(content(17 * MIB))
    assert Journey(large).go_on(by_role()) is not None
    assert second_s3.operations().count("UploadPart") == 3
    assert parcel(second_s3.content(TIF)).crc64nvme == large.crc64nvme


@pytest.mark.parametrize(
    ("nbytes", "part", "at_once"),
    [(1, 8, 4), (80_000 * MIB, 8, 4), (80_000 * MIB + 1, 16, 4), (320_000 * MIB, 32, 2), (640_000 * MIB, 64, 1)],
)
def test_parts_that_are_sent_are_few_enough_and_small(
    nbytes: int, part: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_upload, "_SENT", TRUE_SIZES)
    cut = cut_to_send(nbytes)
    assert (cut.part, cut.at_once) == (part * MIB, at_once)
    assert cut.part * cut.at_once <= 64 * MIB


def test_what_is_too_large_to_be_sent_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_upload, "_SENT", TRUE_SIZES)
    with pytest.raises(DeliveryRejected, match="let the role read"):
        cut_to_send(640_000 * MIB + 1)
    assert cut_to_copy(10**13).part * s3_upload.MAX_PARTS >= 10**13
