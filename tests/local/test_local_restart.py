"""What a restart keeps, and what an end leaves behind: nothing."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import requests

from local.server import bind
from tests.support.cli import box, write_aoi
from tests.support.local import Running, eventually, service
from tests.support.scenes import texture, write_scene

CUT = box(400500, 5594500, 405500, 5599500)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scene(folder / "east.tif", texture((3, 600, 600)), nodata=0)
    return folder


def submit(running: Running, tmp_path: Path, resolution: float = 12) -> str:
    body = {
        "name": "field",
        "source": {"scenes": ["s3://cutline-scenes/east.tif"]},
        "aoi": json.loads(write_aoi(tmp_path / "aoi.json", *CUT).read_text()),
        "output": {"crs": "EPSG:3857", "resolution": resolution},
    }
    answer = running.post("/exports", body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["export_id"])


def status(running: Running, export_id: str) -> str:
    return str(running.get(f"/exports/{export_id}").json()["status"])


def has_ended(running: Running, export_id: str) -> bool:
    return status(running, export_id) in ("SUCCESS", "ERROR", "CANCELLED")


def test_exports_survive_and_what_was_stopped_can_be_retried(scenes: Path, tmp_path: Path) -> None:
    words = ("--data", tmp_path / "data", "--scenes", scenes)
    with service(*words) as first:
        done = submit(first, tmp_path)
        eventually(lambda: has_ended(first, done), 90)
        link = first.get(f"/exports/{done}/download").headers["Location"]
        cog = requests.get(link, timeout=30).content
        half = submit(first, tmp_path, resolution=1)
        eventually(lambda: status(first, half) == "RENDERING", 60)
        assert first.stop(signal.SIGINT) == []
        assert first.process.returncode == 0, first.said()

    with service(*words) as second:
        assert status(second, done) == "SUCCESS"
        link = second.get(f"/exports/{done}/download").headers["Location"]
        assert requests.get(link, timeout=30).content == cog
        eventually(lambda: status(second, half) == "ERROR", 60)
        assert second.get(f"/exports/{half}").json()["error"]["code"] == "aborted"
        assert second.post(f"/exports/{half}/retry").status_code == 202
        eventually(lambda: has_ended(second, half), 90)
        assert status(second, half) == "SUCCESS"


def test_a_kill_loses_seconds_and_corrupts_nothing(scenes: Path, tmp_path: Path) -> None:
    words = ("--data", tmp_path / "data", "--scenes", scenes)
    with service(*words) as first:
        done = submit(first, tmp_path)
        eventually(lambda: has_ended(first, done), 90)
        tables = tmp_path / "data" / "tables.json"
        eventually(lambda: tables.exists() and '{"S": "SUCCESS"}' in tables.read_text(), what="a saved success")
        assert first.stop(signal.SIGKILL) == []
    with service(*words) as second:
        assert status(second, done) == "SUCCESS"
        link = second.get(f"/exports/{done}/download").headers["Location"]
        assert requests.get(link, timeout=30).content[:4] == b"II*\0"


def test_a_folder_is_for_one_service(tmp_path: Path) -> None:
    with service("--data", tmp_path) as first, pytest.raises(AssertionError, match="in use by another"):
        Running("--data", tmp_path)
    assert first.process.returncode == 0


def test_only_this_machine_is_served() -> None:
    with pytest.raises(ValueError, match="from this machine only"):
        bind(0, "0.0.0.0")  # noqa: S104 – that is the question
