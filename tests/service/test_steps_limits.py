"""What planning refuses, and what the largest plans weigh."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import rasterio

from cutline.errors import InvalidRequest, RateLimited
from cutline.settings import ServiceSettings, service
from cutline.store.bucket import Bucket
from cutline.store.plans import MAX_ITEMS, groups
from tests.support.aws import SCENES
from tests.support.plans import area_of
from tests.support.scenes import UTM33, texture, write_scene
from tests.support.steps import content_of, put_scene, submitted

STATE_LIMIT = 64 << 10


def told(failed: pytest.ExceptionInfo[Exception]) -> dict[str, str]:
    told: dict[str, str] = json.loads(str(failed.value))
    return told


@pytest.fixture
def scene(aws_server: ServiceSettings, tmp_path: Path) -> str:
    return put_scene(write_scene(tmp_path / "a.tif", texture((1, 300, 400))))


def item(href: str) -> dict[str, Any]:
    """A STAC item whose only asset is elsewhere."""
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": "i", "geometry": None, "links": [],
        "properties": {"datetime": "2024-06-01T00:00:00Z"},
        "assets": {"red": {"href": href, "type": "image/tiff; application=geotiff", "eo:bands": [{"name": "red"}]}},
    }  # fmt: skip


@pytest.mark.parametrize(
    "href", ["/etc/passwd", "file:///etc/passwd", "s3://elsewhere/a.tif", "https://127.0.0.1/a.tif", "/vsicurl/x"]
)
@pytest.mark.parametrize("way", ["a file", "an item", "an item at an address"])
def test_only_allowed_places_are_read(aws: ServiceSettings, href: str, way: str) -> None:
    given: Any = {"a file": href, "an item": item(href), "an item at an address": f"s3://{SCENES}/item.json"}[way]
    Bucket(SCENES).write_json("item.json", item(href))
    with pytest.raises(InvalidRequest) as failed:
        submitted({"source": {"scenes": [given]}}).plan()
    said = told(failed)
    assert said["pointer"].startswith("/source/scenes/0")
    assert any(words in said["message"] for words in ("not read", "is no address", "cannot name a file")), said


def test_more_pixels_than_an_export_may_have(scene: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_LIMITS", json.dumps({"pixels_an_export": 300 * 400 - 1}))
    export = submitted({"source": {"scenes": [scene]}})
    with pytest.raises(InvalidRequest) as failed:
        export.plan()
    assert told(failed)["code"] == "too-large" and "120,000 pixels" in told(failed)["message"]


def test_more_pixels_than_are_left_of_the_month(scene: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_LIMITS", json.dumps({"pixels_a_month": 200_000}))
    submitted({"source": {"scenes": [scene]}}).plan()
    export = submitted({"source": {"scenes": [scene]}})
    with pytest.raises(RateLimited) as failed:
        export.plan()
    assert "200,000" in told(failed)["message"]
    assert Bucket(service().work_bucket).size(f"exports/{export.export_id}/1/plan.json") is None


def test_an_area_beside_the_scenes(scene: str) -> None:
    with pytest.raises(InvalidRequest) as failed:
        submitted({"source": {"scenes": [scene]}, "aoi": area_of(500000, 5500000, 500100, 5500100)}).plan()
    assert told(failed)["pointer"] == "/aoi"


@pytest.mark.parametrize("tiles", [1, 799, 800, 801, 10_000, 100_000])
def test_the_list_of_tasks_stays_short(tiles: int) -> None:
    made = groups(tiles)
    assert [index for group in made for index in group] == list(range(tiles))
    assert len(made) == tiles if tiles <= MAX_ITEMS else MAX_ITEMS / 2 < len(made) <= MAX_ITEMS


def test_a_plan_of_ten_thousand_tiles(
    aws_server: ServiceSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """409,600 pixels a side; what travels in the state stays small, and so does the memory it takes."""
    monkeypatch.setenv("CUTLINE_LIMITS", json.dumps({"pixels_an_export": 10**12, "pixels_a_month": 10**12}))
    path = tmp_path / "large.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=4096, height=4096, count=3, dtype="uint8", crs="EPSG:32633", tiled=True,
        transform=UTM33, blockxsize=512, blockysize=512, photometric="MINISBLACK", SPARSE_OK=True,
    ):  # fmt: skip
        pass
    export = submitted(
        {
            "source": {"scenes": [put_scene(path)], "band_names": ["red", "green", "blue"]},
            "output": {"crs": "EPSG:32633", "resolution": 0.1},
        }
    )
    held = _held()
    planned = export.plan()
    assert _memory("VmHWM") - held < 1 << 30
    tasks = export.tasks(planned)
    assert planned.tiles == export.record.tiles == 10_000
    assert [index for task in tasks for index in task["tiles"]] == list(range(10_000))
    assert len(tasks) <= MAX_ITEMS
    inputs = [{**export.task.model_dump(), "plan_href": planned.plan_href, **task} for task in tasks]
    assert max(len(json.dumps(each)) for each in [planned.model_dump(mode="json"), *inputs]) < 1024 < STATE_LIMIT
    assert len(content_of(planned.plan_href)) < 4 << 20


def _held() -> int:
    """Bytes that this process has; from now on its peak is that of what comes."""
    if sys.platform != "linux":
        pytest.skip("only Linux tells a process's peak, and forgets it")
    Path("/proc/self/clear_refs").write_text("5")  # man 5 proc: resets VmHWM
    return _memory("VmRSS")


def _memory(name: str) -> int:
    """Bytes of this process: VmRSS are those it has, VmHWM the most it ever had."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) << 10
