"""The picture that assembling puts beside a COG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rasterio.io import MemoryFile

from cutline.settings import ServiceSettings
from cutline.store.bucket import Bucket
from tests.support.plans import area_of
from tests.support.scenes import texture, write_scene
from tests.support.steps import Submitted, put_scene, submitted

AREA = area_of(401000, 5590000, 412000, 5598800)

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture
def export(aws_server: ServiceSettings, tmp_path: Path) -> Submitted:
    scene = put_scene(write_scene(tmp_path / "a.tif", texture((3, 1100, 1200)), nodata=0))
    return submitted({"source": {"scenes": [scene]}, "aoi": AREA})


def test_it_lies_beside_the_cog(export: Submitted, aws_server: ServiceSettings) -> None:
    made = export.all()
    assert export.record.result is not None
    assert export.record.result.quicklook_href == made.cog_href.replace(".tif", ".png")
    bucket, key = Bucket(aws_server.exports_bucket), export.cog_key.replace(".tif", ".png")
    head = bucket.head(key)
    assert head is not None and head["ContentType"] == "image/png"
    with MemoryFile(bucket.read(key)) as memory, memory.open(driver="PNG") as picture:
        assert picture.count == 4
        assert 200 < max(picture.shape) <= 512
        assert picture.read(4).any()


def test_an_export_does_without(
    export: Submitted, aws_server: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> bytes:
        raise ValueError("no picture")

    monkeypatch.setattr("cutline.service.assembling.quicklook", broken)
    export.all()
    assert export.record.result is not None
    assert export.record.result.quicklook_href is None
    assert Bucket(aws_server.exports_bucket).size(export.cog_key.replace(".tif", ".png")) is None
