"""What the service adds to the engine: the same export of one tile by the command line, and by a service that runs."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cases import RGB, Job, job
from benchmarks.engines import cutline
from benchmarks.measure import Failed
from benchmarks.scenes import CRS, OUT, RESOLUTION, Scenes, write_area
from benchmarks.targets import Target, table
from cutline.cog.checksum import crc64_text
from local.scenes import BUCKET
from tests.support.local import ENDED, Running, service

SHARE = 0.006
"""Of the area: one tile"""
MOST = 3.0
"""Seconds"""
LOOK_SECONDS = 0.1
"""Between two questions of a client that waits"""


def measure(scenes: Scenes, runs: int, _engines: list[str]) -> dict[str, Any]:
    """Seconds of each run by the engine, by the command around it and by the service, and of the service's first."""
    found: dict[str, Any] = {"engine": [], "command": [], "service": []}
    print("\nservice, one tile", flush=True)
    with service("--scenes", scenes.pictures[0].parent) as running:
        first, *others = _elsewhere(job(scenes, RGB, share=SHARE, level=6), runs + 1)
        found["cold"], _ = _by_service(running, first)
        print(f"  the first: {found['cold']:.2f} s", flush=True)
        for work in others:
            wall, report = _by_command(work)
            seconds, view = _by_service(running, work)
            _check(report, view)
            found["engine"].append(report["seconds"])
            found["command"].append(wall)
            found["service"].append(seconds)
            print(f"  engine {report['seconds']:.2f} s, service {seconds:.2f} s", flush=True)
        found["pixels"] = report["pixels"]
    return found


def _elsewhere(work: Job, count: int) -> Iterator[Job]:
    """The same work some pixels further east each time: the service would not render a tile twice."""
    left, bottom, right, top = work.bounds
    for number in range(count):
        east = 8 * RESOLUTION * number
        bounds = (left + east, bottom, right + east, top)
        aoi = write_area(Path(work.aoi).with_name(f"area-service-{number}.geojson"), bounds, RESOLUTION)
        yield replace(work, aoi=str(aoi), bounds=bounds)


def _by_command(work: Job) -> tuple[float, dict[str, Any]]:
    """Seconds of the whole command, and its report. Not by ``measure``, which waits for all our processes to end: the
    service is one of them."""
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        began = time.perf_counter()
        ran = subprocess.run(cutline(work, Path(folder) / "export.tif"), capture_output=True, text=True, check=False)
        wall = time.perf_counter() - began
    if ran.returncode:
        raise Failed(ran.stderr)
    report: dict[str, Any] = json.loads(ran.stdout)
    return wall, report


def _by_service(running: Running, work: Job) -> tuple[float, dict[str, Any]]:
    """Seconds from sending the request to hearing of its success, and what is told of it then."""
    body = {
        "name": Path(work.aoi).stem,
        "source": {"scenes": [f"s3://{BUCKET}/{Path(scene).name}" for scene in work.scenes]},
        "bands": work.bands,
        "aoi": json.loads(Path(work.aoi).read_text()),
        "mosaic": "first",
        "output": {
            "crs": CRS,
            "resolution": work.resolution,
            "resampling": work.resampling,
            "profile": work.profile,
            "level": work.level,
            "nodata": 0,
        },
    }
    running.token()  # signing in is no part of it
    began = time.perf_counter()
    answer = running.post("/exports", body)
    if answer.status_code != 202:
        raise Failed(answer.text)
    while (view := running.view(answer.json()["export_id"]))["status"] not in ENDED:
        time.sleep(LOOK_SECONDS)
    if view["status"] != "SUCCESS":
        raise Failed(str(view["error"]))
    return time.perf_counter() - began, view


def _check(report: dict[str, Any], view: dict[str, Any]) -> None:
    """The same bytes, of one tile."""
    tiles, crc = report["tiles"], crc64_text(report["crc64"])
    if tiles != 1 or view["result"]["crc64nvme"] != crc:
        raise Failed(f"{tiles} tiles, {crc} by the command line; {view['result']} by the service")


def _added(result: dict[str, Any]) -> float:
    """Seconds, the median of what was measured in turns."""
    pairs = zip(result["service"], result["engine"], strict=True)
    return median(service - engine for service, engine in pairs)


def targets(result: dict[str, Any]) -> list[Target]:
    """What is added, in seconds."""
    return [Target("one tile: what the local service adds to the engine", _added(result), MOST, False, "s")]


def text(result: dict[str, Any]) -> str:
    """What ran, and a row for each way."""
    rows = [
        ("the engine, as `cutline export --json` reports it", median(result["engine"])),
        ("the command, with its start", median(result["command"])),
        ("the local service, from POST /exports to SUCCESS", median(result["service"])),
        ("its first export after the start (one run)", result["cold"]),
        ("what the service adds to the engine", _added(result)),
    ]
    what = (
        f"u8 × 3, bilinear, DEFLATE-6: one tile with {result['pixels'] / 1e6:.1f} Mpx inside, another one each time, "
        f"byte for byte the same by both. The client asks every {LOOK_SECONDS:g} s."
    )
    return f"{what}\n\n" + table(("one tile", "s"), [(name, f"{seconds:.2f}") for name, seconds in rows])
