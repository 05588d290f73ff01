"""What a bucket refuses: one sentence that says what is wrong and what would be right, and nothing half-written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from cutline.deliver.s3 import S3Target
from cutline.errors import (
    BadCredentials,
    CutlineError,
    DeliveryRejected,
    IncompleteExport,
    QuotaExceeded,
    TransientError,
)
from cutline.models.destination import S3Secret, S3Settings
from tests.support.journey import PATH, Journey, pieces
from tests.support.s3_journeys import COG, NAMES, PARCEL, PARTS, TIF, by_keys, by_role, elsewhere, small_parts
from tests.support.second_s3 import BUCKET, EVERYTHING, KEY, REGION, ROLE, SECRET, Fault, SecondS3, second_s3

__all__ = ["second_s3", "small_parts"]

KMS = "arn:aws:kms:eu-central-1:222222222222:key/1"
WITHOUT_KMS = frozenset({"s3:*"})
BOTH = pytest.mark.parametrize("enter", [by_role, by_keys])


def refused(target: S3Target) -> CutlineError:
    return Journey(PARCEL).refused(target, SECRET)


def keys(key: str = KEY, secret: str = SECRET) -> S3Target:
    settings = S3Settings(bucket=BUCKET, region=REGION)
    return S3Target(settings, S3Secret(access_key_id=SecretStr(key), secret_access_key=SecretStr(secret)), "")


def test_wrong_keys(second_s3: SecondS3) -> None:
    error = refused(keys(key="AKIAOTHER"))
    assert type(error) is BadCredentials and error.message.startswith("the access key is not known")
    error = refused(keys(secret="another"))
    assert type(error) is BadCredentials and error.message.startswith("the secret access key does not belong")


def test_neither_keys_nor_role(second_s3: SecondS3) -> None:
    error = refused(S3Target(S3Settings(bucket=BUCKET, region=REGION), None, "ext-1"))
    assert type(error) is BadCredentials and "enter a role_arn, or the keys" in error.message


def test_a_role_that_does_not_trust_us(second_s3: SecondS3) -> None:
    settings = S3Settings(bucket=BUCKET, region=REGION, role_arn=ROLE)
    error = refused(S3Target(settings, None, "ext-of-another"))
    assert type(error) is BadCredentials
    assert (
        error.message.startswith(f"the role {ROLE} does not let us in; its trust policy") and "ext-of" in error.message
    )
    assert second_s3.asked == []


def test_a_role_that_lets_in_whoever_knows_its_name(second_s3: SecondS3) -> None:
    second_s3.guarded = False
    error = refused(by_role())
    assert type(error) is BadCredentials and "lets us in without its ExternalId" in error.message
    assert second_s3.asked == []


@BOTH
@pytest.mark.parametrize(
    "missing", ["s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObjectTagging"]
)
def test_an_action_that_is_missing_is_named(second_s3: SecondS3, enter: Any, missing: str) -> None:
    given = {"s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"}
    second_s3.allowed = frozenset({*given, "s3:DeleteObject", "s3:PutObjectTagging"} - {missing})
    with pytest.raises(BadCredentials, match=f"allow {missing} on arn:aws:s3:::{BUCKET}/exports/") as caught:
        enter(tags={"a": "b"}).verify()
    assert (ROLE if enter is by_role else "the user of the access keys") in caught.value.message
    assert second_s3.uploads() == [] and second_s3.keys() == []


@BOTH
def test_without_words_the_action_of_the_operation_is_named(second_s3: SecondS3, enter: Any) -> None:
    second_s3.allowed, second_s3.names_missing = frozenset({"s3:GetObject"}), False
    error = refused(enter())
    assert "allow s3:PutObject on arn:aws:s3:::their-bucket/exports/" in error.message
    # The owner of a role's bucket is known: it is the role's, where nothing else was said.
    assert ("check that the bucket belongs to account 222222222222" in error.message) == (enter is by_role)


def test_reading_back_is_denied(second_s3: SecondS3) -> None:
    second_s3.allowed = frozenset({"s3:PutObject", "s3:AbortMultipartUpload"})
    with pytest.raises(BadCredentials, match=f"allow s3:GetObject on arn:aws:s3:::{BUCKET}/{TIF}"):
        Journey(PARCEL).go_on(by_role())


def test_a_bucket_of_another_owner(second_s3: SecondS3) -> None:
    error = refused(by_role(account="333333333333"))
    assert type(error) is BadCredentials
    assert error.message.endswith("and check that the bucket belongs to account 333333333333")
    assert second_s3.keys() == [] and second_s3.uploads() == []


def test_a_bucket_in_another_region(second_s3: SecondS3) -> None:
    error = refused(by_role(region="us-west-2"))
    assert type(error) is DeliveryRejected
    assert error.message == f"the bucket {BUCKET} is in {REGION}, not in us-west-2; change the region"


def test_a_bucket_that_is_gone(second_s3: SecondS3) -> None:
    second_s3.remove_bucket()
    error = refused(by_role())
    assert type(error) is DeliveryRejected
    assert error.message == f"there is no bucket {BUCKET}; create it, or name another"


def test_a_bucket_that_goes_half_way(second_s3: SecondS3) -> None:
    journey = Journey(PARCEL)
    journey.go_on(by_role(), pieces(2))
    second_s3.remove_bucket()
    with pytest.raises(DeliveryRejected, match="there is no bucket"):
        journey.go_on(by_role())


def test_a_kms_key_that_we_may_not_use(second_s3: SecondS3) -> None:
    second_s3.allowed = WITHOUT_KMS
    error = refused(by_role(kms_key=KMS))
    assert type(error) is BadCredentials
    assert error.message == f"the KMS key is denied: allow kms:GenerateDataKey on {KMS} to {ROLE}"


def test_a_kms_key_that_is_disabled(second_s3: SecondS3) -> None:
    second_s3.disabled_keys = frozenset({KMS})
    error = refused(by_role(kms_key=KMS))
    assert type(error) is DeliveryRejected and f"the KMS key {KMS} is disabled" in error.message


def test_rights_that_end_half_way_leave_nothing(second_s3: SecondS3) -> None:
    journey = Journey(PARCEL)
    journey.go_on(by_role(), pieces(2))
    second_s3.allowed = EVERYTHING - {"s3:*"} | {"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}
    with pytest.raises(BadCredentials, match="allow s3:PutObject"):
        journey.go_on(by_role())
    assert second_s3.uploads() == [] and second_s3.keys() == []


@pytest.mark.parametrize(
    "operation", ["HeadObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObject"]
)
def test_a_busy_s3_is_asked_again_and_then_left_for_the_next_invocation(second_s3: SecondS3, operation: str) -> None:
    second_s3.faults = [Fault(operation, 503, "SlowDown", times=2)]
    assert Journey(PARCEL).go_on(by_role()) is not None
    assert second_s3.content(TIF) == COG
    second_s3.remove_bucket()
    second_s3.create(BUCKET)
    second_s3.faults = [Fault(operation, 503, "SlowDown")]
    journey = Journey(PARCEL)
    with pytest.raises(TransientError, match="try again"):
        journey.go_on(by_role())
    second_s3.faults = []
    assert journey.go_on(by_role()) is not None
    assert second_s3.content(TIF) == COG
    assert second_s3.keys() == NAMES and second_s3.uploads() == []


@pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
def test_an_answer_that_is_lost(second_s3: SecondS3, operation: str) -> None:
    second_s3.faults = [Fault(operation, 500, "InternalError", times=1, done=True)]
    journey = Journey(PARCEL)
    try:
        arrival = journey.go_on(by_role())
    except TransientError:
        arrival = journey.go_on(by_role())
    assert arrival is not None
    assert second_s3.content(TIF) == COG
    assert second_s3.operations().count("UploadPart") <= PARTS + 1


def test_an_upload_that_the_owner_has_ended_begins_again(second_s3: SecondS3) -> None:
    journey = Journey(PARCEL)
    journey.go_on(by_role(), pieces(2))
    by_role().abandon(PATH, journey.cursor)
    with pytest.raises(TransientError, match="NoSuchUpload"):
        journey.go_on(by_role())
    assert journey.cursor == {}
    assert journey.go_on(by_role()) is not None
    assert second_s3.content(TIF) == COG


def test_parts_that_were_cut_otherwise_are_sent_again(second_s3: SecondS3) -> None:
    journey = Journey(PARCEL)
    journey.go_on(by_role(), pieces(2))
    journey.save({**journey.cursor, "part": 10 * 1024})
    assert journey.go_on(by_role()) is not None
    assert second_s3.content(TIF) == COG


def test_what_arrives_damaged_is_not_taken(second_s3: SecondS3) -> None:
    journey = Journey(replace(PARCEL, read=lambda start, end: bytes(end - start)))
    with pytest.raises(TransientError, match="BadDigest"):
        journey.go_on(by_role())
    assert journey.cursor == {} and second_s3.keys() == [] and second_s3.uploads() == []


def test_what_is_not_what_was_sent_when_read_back_is_removed(second_s3: SecondS3) -> None:
    second_s3.keeps_checksums = False
    journey = Journey(PARCEL)
    with pytest.raises(TransientError, match="sent again"):  # AWS's S3 always tells its checksum
        journey.go_on(by_role())
    assert journey.cursor == {} and second_s3.keys() == []


def test_what_another_has_put_there_meanwhile_stays(second_s3: SecondS3) -> None:
    """What is removed is what was looked at."""
    second_s3.keeps_checksums = False
    second_s3.faults = [Fault("DeleteObject", 412, "PreconditionFailed")]
    journey = Journey(PARCEL)
    with pytest.raises(TransientError, match="sent again"):
        journey.go_on(by_role())
    [asked] = [request for operation, request in second_s3.asked if operation == "DeleteObject"]
    assert asked.headers["If-Match"] == second_s3.object(TIF).etag
    assert journey.cursor == {}


def test_our_own_cog_that_has_gone_leaves_nothing(second_s3: SecondS3) -> None:
    def read(start: int, end: int) -> bytes:
        raise IncompleteExport("the COG is another")

    with pytest.raises(IncompleteExport):
        Journey(replace(PARCEL, read=read)).go_on(by_role())
    assert second_s3.uploads() == []


def test_another_provider_that_is_full(second_s3: SecondS3) -> None:
    second_s3.faults = [Fault("UploadPart", 403, "QuotaExceeded", after=2)]
    with pytest.raises(QuotaExceeded, match=f"{BUCKET} is full"):
        Journey(PARCEL).go_on(elsewhere(second_s3))
    assert second_s3.uploads() == []


def test_another_provider_that_refuses_the_checksum(second_s3: SecondS3) -> None:
    second_s3.faults = [Fault("CreateMultipartUpload", 501, "NotImplemented")]
    error = refused(elsewhere(second_s3))
    assert type(error) is DeliveryRejected and "CRC-64/NVME" in error.message


def test_what_s3_refuses_otherwise_is_told_by_its_code(second_s3: SecondS3) -> None:
    second_s3.faults = [Fault("CreateMultipartUpload", 400, "InvalidArgument" * 20)]
    error = refused(by_role())
    assert type(error) is DeliveryRejected and len(error.message) < 300


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("http://s3.example.org", "has to be https"),
        ("ftp://s3.example.org", "has to be https"),
        ("https://s3.example.org/bucket", "https://host alone"),
        ("https://user:word@s3.example.org", "https://host alone"),
        ("https://127.0.0.1:9000", "inside a private network"),
        ("https://169.254.169.254", "never asked"),
        ("", "has to be https"),
        ("foo", "has to be https"),
        ("https://h:99999", "has to be https"),
        ("https://[::1", "has to be https"),
        ("https://exa mple.org", "has to be https"),
        ("https://exa\nmple.org", "has to be https"),
        ("https://-a.example.org", "has to be https"),
        ("https://" + "a." * 130 + "org", "has to be https"),
    ],
)
def test_an_endpoint_that_we_never_ask(
    second_s3: SecondS3, monkeypatch: pytest.MonkeyPatch, endpoint: str, why: str
) -> None:
    monkeypatch.delenv("CUTLINE_PRIVATE_HOSTS")
    assert why in refused(by_keys(endpoint=endpoint)).message
    assert second_s3.asked == []


def test_an_endpoint_is_judged_whenever_it_is_connected_to(
    second_s3: SecondS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(host: str, port: int) -> str:
        asked.append(host)
        return "127.0.0.1"

    asked: list[str] = []
    monkeypatch.setattr("cutline.deliver.s3_access.public_address", judge)
    port = second_s3.url.rpartition(":")[2]
    arrival = Journey(PARCEL).go_on(by_keys(endpoint=f"http://s3.example.org:{port}"))
    assert arrival is not None
    assert set(asked) == {"s3.example.org"} and len(asked) > 1
    assert {request.host for _, request in second_s3.asked} == {f"s3.example.org:{port}"}


def test_a_role_is_not_shown_to_another_provider(second_s3: SecondS3) -> None:
    error = refused(by_role(endpoint=second_s3.url))
    assert type(error) is BadCredentials and second_s3.sessions == {}


def test_an_s3_that_does_not_answer(second_s3: SecondS3) -> None:
    error = refused(by_keys(endpoint="http://127.0.0.1:9"))
    assert type(error) is TransientError
