"""Scenes of one's own stay, whatever the samples are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutline.settings import ServiceSettings
from cutline.store.clients import client
from local import scenes
from local.scenes import BUCKET, Scenes


def content(name: str) -> bytes:
    found: bytes = client("s3").get_object(Bucket=BUCKET, Key=name)["Body"].read()
    return found


def test_no_sample_takes_the_place_of_ones_own(
    aws: ServiceSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, drawn = tmp_path / "own", tmp_path / "drawn"
    for folder in (own, drawn):
        folder.mkdir()
        (folder / "demo.tif").write_bytes(folder.name.encode())
    (drawn / "other.tif").write_bytes(b"drawn")
    monkeypatch.setattr(scenes, "DRAWN", drawn)
    client("s3").create_bucket(Bucket=BUCKET)
    Scenes(own)
    assert (content("demo.tif"), content("other.tif")) == (b"own", b"drawn")
