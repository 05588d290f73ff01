"""Everything goes wrong now and then: AWS throttles, answers with errors of its own or not at all for what it has done,
functions are killed, a source vanishes. Every export ends, with the right bytes or with a cause, and holds nothing."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.scenes import BUCKET
from tests.support.cli import exported
from tests.support.local import CRS, ENDED, SCENE, Running, eventually, make_area, service

RATE, SEED = 0.1, 7
KILLS = 6
STEPS = ("plan", "render_tile", "render_tile", "assemble", "deliver", "notify", "reconcile")
RESOLUTION = 8
CAUSES = ("worker-died", "transient-error", "source-unavailable", "throttled")
"""Codes of what may pass, if an export ends in it"""


@pytest.fixture(scope="module")
def running(scenes: Path) -> Iterator[Running]:
    with service("--scenes", scenes, "--faults", RATE, "--seed", SEED) as one:
        yield one


def is_right(running: Running, export_id: str, aoi: Path, scene: Path) -> None:
    """It succeeds, at once or by a retry after an error that tells the cause; the file is the command line's."""
    ended = running.ended(export_id)
    if ended["status"] == "ERROR":
        assert ended["error"]["code"] in CAUSES, ended["error"]
        assert running.post(f"/exports/{export_id}/retry").status_code == 202
        ended = running.ended(export_id)
    assert ended["status"] == "SUCCESS", ended["error"]
    out = aoi.with_name(f"{export_id}.tif")
    exported("--scene", scene, "--aoi", aoi, "--crs", CRS, "--resolution", RESOLUTION, "-o", out)
    assert running.cog(export_id) == out.read_bytes()


def nothing_is_left(running: Running) -> None:
    """Neither of quotas nor of uploads."""
    running.idle()
    client = running.s3()
    for bucket in client.list_buckets()["Buckets"]:
        assert client.list_multipart_uploads(Bucket=bucket["Name"]).get("Uploads", []) == []


def test_aws_throttles_and_fails(running: Running, scenes: Path, tmp_path: Path) -> None:
    """Scenes are read by GDAL from S3, and by ranges from the web, which has its own way of trying again."""
    sources = (SCENE, f"{running.url}/{BUCKET}/east.tif", SCENE)
    areas = [tmp_path / f"{number}.json" for number in range(len(sources))]
    ids = [
        running.submit(make_area(area, 200 * number), RESOLUTION, scene=source, notify={"email": True})
        for number, (area, source) in enumerate(zip(areas, sources, strict=True))
    ]
    for export_id, area in zip(ids, areas, strict=True):
        is_right(running, export_id, area, scenes / "east.tif")
    nothing_is_left(running)
    failed = set(re.findall(r"fault: (?:done, but )?(\d+ \w+) for (\w+)", running.said()))
    assert {service for _, service in failed} >= {"s3", "dynamodb", "lambda"}, failed
    assert {"503 SlowDown", "500 InternalError", "429 TooManyRequestsException"} <= {what for what, _ in failed}
    assert re.search(rf"fault: \d+ \w+ for s3 GET /{BUCKET}/east.tif", running.said())


def test_functions_are_killed(running: Running, scenes: Path, tmp_path: Path) -> None:
    rng = random.Random(SEED)  # noqa: S311 - which function dies is no secret
    areas = [tmp_path / f"{number}.json" for number in range(2)]
    ids = [running.submit(make_area(area, 1000 + 200 * number), RESOLUTION) for number, area in enumerate(areas)]
    killed = 0
    until = time.monotonic() + 60
    while (
        killed < KILLS and time.monotonic() < until and not all(running.view(each)["status"] in ENDED for each in ids)
    ):
        if slots := running.slots(rng.choice(STEPS)):
            rng.choice(slots).kill()
            killed += 1
        time.sleep(rng.uniform(0, 0.3))
    assert killed
    for export_id, area in zip(ids, areas, strict=True):
        is_right(running, export_id, area, scenes / "east.tif")
    nothing_is_left(running)


def test_a_source_vanishes_half_way(running: Running, scenes: Path, area: Any) -> None:
    client = running.s3()
    client.upload_file(str(scenes / "east.tif"), BUCKET, "vanishing.tif")
    export_id = running.submit(area, 1, scene=f"s3://{BUCKET}/vanishing.tif")
    eventually(lambda: (running.view(export_id)["tiles"] or {}).get("done"), 60, "the first tile")
    client.delete_object(Bucket=BUCKET, Key="vanishing.tif")
    for slot in running.slots("render_tile"):  # which may have read all of it already
        slot.kill()
    ended = running.ended(export_id)
    assert ended["status"] == "ERROR", "tiles are missing"
    assert "vanishing" in ended["error"]["message"], ended["error"]
    nothing_is_left(running)
