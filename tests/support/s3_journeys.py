"""What tests of deliveries to a bucket have in common: a COG of six small parts, and ways to enter the bucket."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from cutline.deliver import s3_upload
from cutline.deliver.s3 import S3Target
from cutline.models.destination import S3Secret, S3Settings
from tests.support.journey import PATH, content, parcel
from tests.support.second_s3 import BUCKET, EXTERNAL_ID, KEY, REGION, ROLE, SECRET, SecondS3

KIB, MIB = 1 << 10, 1 << 20
COG = content(41 * KIB + 7)
PARTS = 6
PARCEL = parcel(COG)
OURS = f"{PARCEL.bucket}/{PARCEL.key}"
TIF, NAMES = f"{PATH}.tif", [f"{PATH}.json", f"{PATH}.manifest.json", f"{PATH}.tif"]
TRUE_SIZES = s3_upload._SENT
SECRET_KEYS = S3Secret(access_key_id=SecretStr(KEY), secret_access_key=SecretStr(SECRET))


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """On both sides. The true sizes have a test of their own."""
    monkeypatch.setattr(s3_upload, "_SENT", (8 * KIB,))
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 5 * KIB)


def by_role(**more: Any) -> S3Target:
    settings = {"bucket": BUCKET, "region": REGION, "role_arn": ROLE, "prefix": "exports/{date}", **more}
    return S3Target(S3Settings.model_validate(settings), None, EXTERNAL_ID)


def by_keys(**more: Any) -> S3Target:
    settings = {"bucket": BUCKET, "region": REGION, "prefix": "exports/{date}", **more}
    return S3Target(S3Settings.model_validate(settings), SECRET_KEYS, EXTERNAL_ID)


def elsewhere(world: SecondS3) -> S3Target:
    return by_keys(endpoint=world.url)
