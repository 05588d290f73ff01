"""An object joined from others: the right bytes, once, or nothing at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cutline.errors import Conflict, CutlineError, IncompleteExport, TransientError
from cutline.kernel import crc64
from cutline.settings import ServiceSettings
from cutline.store.bucket import Bucket
from cutline.store.clients import client
from cutline.store.multipart import RUNS, Joined, Source, join
from cutline.store.s3_workspace import S3Workspace
from tests.support.faults import BUSY, INSIDE_200, asked, refuse

MIB = 1 << 20
KEY = "owner/exp/out.tif"
HEADER = b"header" * 1000
SIZES = (100, 0, 40_000, 2 * MIB, 9 * MIB, 1 * MIB, 5 * MIB + 7, 1)


@pytest.fixture
def contents() -> list[bytes]:
    dice = np.random.default_rng(3)
    return [dice.bytes(size) for size in SIZES]


@pytest.fixture
def joined(aws: ServiceSettings, contents: list[bytes]) -> Joined:
    return put_segments(aws, contents)


def put_segments(settings: ServiceSettings, contents: list[bytes]) -> Joined:
    workspace = S3Workspace(settings.work_bucket)
    sources = [
        Source(workspace.key(f"{at}.segment"), len(content), workspace.put(f"{at}.segment", content), crc64(content))
        for at, content in enumerate(contents)
    ]
    whole = HEADER + b"".join(contents)
    sha256 = hashlib.sha256(whole).hexdigest()
    return Joined(HEADER, settings.work_bucket, sources, crc64(whole), sha256, "image/tiff")


def wanted() -> None:
    """Nobody has cancelled."""


def uploads(bucket: str) -> list[Any]:
    return list(client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", ()))


def test_the_bytes_are_those_of_the_parts(aws: ServiceSettings, joined: Joined, contents: list[bytes]) -> None:
    copies = asked("UploadPartCopy")  # moto does not compare ETags, S3 does
    etag = join(joined, aws.exports_bucket, KEY, wanted)
    found = Bucket(aws.exports_bucket).head(KEY)
    assert Bucket(aws.exports_bucket).read(KEY) == HEADER + b"".join(contents)
    assert found is not None and (found["ETag"], found["ContentType"]) == (etag, "image/tiff")
    assert [copy.headers["x-amz-copy-source-if-match"] for copy in copies] == [joined.sources[4].etag.encode()]
    assert uploads(aws.exports_bucket) == []


def test_again_is_not_made_again(aws: ServiceSettings, joined: Joined) -> None:
    first = join(joined, aws.exports_bucket, KEY, wanted)
    begun = asked("CreateMultipartUpload")
    assert join(joined, aws.exports_bucket, KEY, wanted) == first
    assert begun == []


def test_other_content_of_the_same_length_is_made(aws: ServiceSettings, joined: Joined, contents: list[bytes]) -> None:
    Bucket(aws.exports_bucket).write(KEY, bytes(joined.nbytes))
    join(joined, aws.exports_bucket, KEY, wanted)
    assert Bucket(aws.exports_bucket).read(KEY) == HEADER + b"".join(contents)


def test_more_segments_than_parts(aws: ServiceSettings, joined: Joined, contents: list[bytes]) -> None:
    join(joined, aws.exports_bucket, KEY, wanted, max_parts=4)
    assert Bucket(aws.exports_bucket).read(KEY) == HEADER + b"".join(contents)
    left = client("s3").list_objects_v2(Bucket=aws.work_bucket, Prefix=RUNS)
    assert left["KeyCount"] == 0 and uploads(aws.work_bucket) == uploads(aws.exports_bucket) == []


def _remove(aws: ServiceSettings, source: Source) -> None:
    client("s3").delete_object(Bucket=aws.work_bucket, Key=source.key)


def _change(aws: ServiceSettings, source: Source) -> None:
    Bucket(aws.work_bucket).write(source.key, bytes(source.nbytes))


@pytest.mark.parametrize(
    ("spoil", "at", "error"),
    [
        pytest.param(_remove, 4, IncompleteExport, id="a copied one has gone"),
        pytest.param(_remove, 2, IncompleteExport, id="a sent one has gone"),
        pytest.param(_change, 2, TransientError, id="a sent one is another"),
    ],
)
def test_a_source_that_is_not_what_it_was(
    aws: ServiceSettings,
    joined: Joined,
    spoil: Callable[[ServiceSettings, Source], None],
    at: int,
    error: type[CutlineError],
) -> None:
    spoil(aws, joined.sources[at])
    with pytest.raises(error):
        join(joined, aws.exports_bucket, KEY, wanted)
    assert Bucket(aws.exports_bucket).head(KEY) is None
    assert uploads(aws.exports_bucket) == []


def test_what_is_no_longer_wanted_is_not_completed(aws: ServiceSettings, joined: Joined) -> None:
    def cancelled() -> None:
        raise Conflict("it was cancelled")

    with pytest.raises(Conflict):
        join(joined, aws.exports_bucket, KEY, cancelled)
    assert Bucket(aws.exports_bucket).head(KEY) is None
    assert uploads(aws.exports_bucket) == []


def test_an_upload_that_a_killed_run_left_is_ended(aws: ServiceSettings, joined: Joined) -> None:
    client("s3").create_multipart_upload(Bucket=aws.exports_bucket, Key=KEY)
    join(joined, aws.exports_bucket, KEY, wanted)
    assert uploads(aws.exports_bucket) == []


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "refused",
    [
        ("CompleteMultipartUpload", 200, INSIDE_200),
        ("UploadPartCopy", 200, INSIDE_200),
        ("UploadPart", 503, BUSY),
        ("CreateMultipartUpload", 503, BUSY),
    ],
)
@pytest.mark.parametrize("times", [2, 99])
def test_what_s3_refuses_is_tried_again_and_then_left_without_a_trace(
    aws_server: ServiceSettings, contents: list[bytes], refused: tuple[str, int, bytes], times: int
) -> None:
    joined = put_segments(aws_server, contents)
    operation, status, body = refused
    refuse(operation, status, body, times)
    if times == 2:
        join(joined, aws_server.exports_bucket, KEY, wanted)
        assert crc64(Bucket(aws_server.exports_bucket).read(KEY) or b"") == joined.crc64
    else:
        with pytest.raises(TransientError):
            join(joined, aws_server.exports_bucket, KEY, wanted)
        assert Bucket(aws_server.exports_bucket).head(KEY) is None
    assert uploads(aws_server.exports_bucket) == []
