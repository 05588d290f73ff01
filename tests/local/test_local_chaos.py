"""Functions are killed at random and a source vanishes: every export ends, with the right bytes or with a cause."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from tests.support.cli import box, exported, write_aoi
from tests.support.local import Running, eventually, service
from tests.support.scenes import texture, write_scene

SEED, KILLS, EXPORTS = 7, 12, 4
ENDED = ("SUCCESS", "ERROR", "CANCELLED")
STEPS = ("plan", "render_tile", "render_tile", "assemble", "deliver", "notify", "reconcile")
BUCKET = "cutline-scenes"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scene(folder / "east.tif", texture((3, 600, 600)), nodata=0)
    return folder


@pytest.fixture(scope="module")
def running(scenes: Path) -> Iterator[Running]:
    with service("--scenes", scenes) as one:
        yield one


def s3(running: Running) -> Any:
    """As the functions speak to it."""
    known = eventually(lambda: running.slots("submit"))[0].environ()
    return boto3.client(
        "s3", endpoint_url=running.url, region_name=known["AWS_REGION"],
        aws_access_key_id=known["AWS_ACCESS_KEY_ID"], aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip


def submit(running: Running, aoi: Path, scene: str = "east.tif", resolution: float = 4) -> str:
    body = {
        "source": {"scenes": [f"s3://{BUCKET}/{scene}"]},
        "aoi": json.loads(aoi.read_text()),
        "output": {"crs": "EPSG:32633", "resolution": resolution},
    }
    answer = running.post("/exports", body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["export_id"])


def view(running: Running, export_id: str) -> dict[str, Any]:
    found: dict[str, Any] = running.get(f"/exports/{export_id}").json()
    return found


def end_of(running: Running, export_id: str) -> dict[str, Any]:
    return eventually(
        lambda: (now := view(running, export_id))["status"] in ENDED and now, 120, f"the end of {export_id}"
    )


def nothing_is_left(running: Running) -> None:
    """Neither of quotas nor of uploads, once the last end is settled."""
    eventually(lambda: running.get("/me").json()["used"]["exports_running"] == 0, 120, "the last settled end")
    client = s3(running)
    for bucket in client.list_buckets()["Buckets"]:
        assert client.list_multipart_uploads(Bucket=bucket["Name"]).get("Uploads", []) == []


def test_whoever_dies_every_export_ends_right_or_with_a_cause(running: Running, scenes: Path, tmp_path: Path) -> None:
    rng = random.Random(SEED)  # noqa: S311 - which function dies is no secret
    areas = [
        write_aoi(tmp_path / f"{number}.json", *box(400500 + 200 * number, 5594500, 405500, 5599500))
        for number in range(EXPORTS)
    ]
    ids = [submit(running, area) for area in areas]
    killed = 0
    until = time.monotonic() + 60
    while (
        killed < KILLS and time.monotonic() < until and not all(view(running, each)["status"] in ENDED for each in ids)
    ):
        if slots := running.slots(rng.choice(STEPS)):
            rng.choice(slots).kill()
            killed += 1
        time.sleep(rng.uniform(0, 0.3))
    assert killed
    for export_id, area in zip(ids, areas, strict=True):
        ended = end_of(running, export_id)
        if ended["status"] == "ERROR":
            assert ended["error"]["code"] == "worker-died", ended["error"]
            assert running.post(f"/exports/{export_id}/retry").status_code == 202
            ended = end_of(running, export_id)
        assert ended["status"] == "SUCCESS", ended["error"]
        cog = requests.get(running.get(f"/exports/{export_id}/download").headers["Location"], timeout=30).content
        out = tmp_path / f"{export_id}.tif"
        words = ("--crs", "EPSG:32633", "--resolution", 4, "-o", out)
        exported("--scene", scenes / "east.tif", "--aoi", area, *words)
        assert cog == out.read_bytes()
    nothing_is_left(running)


def test_a_source_that_vanishes_half_way(running: Running, scenes: Path, tmp_path: Path) -> None:
    client = s3(running)
    client.upload_file(str(scenes / "east.tif"), BUCKET, "vanishing.tif")
    aoi = write_aoi(tmp_path / "aoi.json", *box(400500, 5594500, 405500, 5599500))
    export_id = submit(running, aoi, "vanishing.tif", 0.8)
    eventually(lambda: (view(running, export_id)["tiles"] or {}).get("done"), 60, "the first tile")
    client.delete_object(Bucket=BUCKET, Key="vanishing.tif")
    for slot in running.slots("render_tile"):  # which may have read all of it already
        slot.kill()
    ended = end_of(running, export_id)
    assert ended["status"] == "ERROR", "tiles are missing"
    assert "vanishing" in ended["error"]["message"], ended["error"]
    nothing_is_left(running)
