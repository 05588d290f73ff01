"""The life of an export in the local service: its end is settled, it is cancelled, tried again, told of and deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.cli import box, write_aoi
from tests.support.local import Running, eventually, service
from tests.support.scenes import texture, write_scene

CUT = box(400500, 5594500, 405500, 5599500)
COARSE, FINE = 20, 1
"""Units a pixel: rendered in a moment, and in seconds"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("scenes")
    write_scene(folder / "east.tif", texture((3, 600, 600)), nodata=0)
    with service("--scenes", folder) as one:
        yield one


@pytest.fixture
def area(tmp_path: Path) -> Any:
    return json.loads(write_aoi(tmp_path / "aoi.json", *CUT).read_text())


def submit(running: Running, area: Any, resolution: float, **more: Any) -> str:
    body = {
        "source": {"scenes": ["s3://cutline-scenes/east.tif"]},
        "aoi": area,
        "output": {"crs": "EPSG:32633", "resolution": resolution},
        **more,
    }
    answer = running.post("/exports", body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["export_id"])


def view(running: Running, export_id: str) -> dict[str, Any]:
    found: dict[str, Any] = running.get(f"/exports/{export_id}").json()
    return found


def until(running: Running, export_id: str, *statuses: str) -> dict[str, Any]:
    return eventually(lambda: (now := view(running, export_id))["status"] in statuses and now, 90, f"{statuses}")


def settled(running: Running, export_id: str) -> dict[str, Any]:
    """Its audit, once the last attempt is archived."""

    def look() -> Any:
        audit = running.get(f"/exports/{export_id}/audit").json()
        return audit["attempts"][-1]["source"] == "archive" and audit

    found: dict[str, Any] = eventually(look, 60, f"the archive of {export_id}")
    return found


def used(running: Running) -> dict[str, int]:
    found: dict[str, int] = running.get("/me").json()["used"]
    return found


def test_the_end_of_an_export_is_settled_and_told(running: Running, area: Any) -> None:
    before = used(running)["pixels_this_month"]
    export_id = submit(running, area, COARSE, name="north field", notify={"email": True})
    assert until(running, export_id, "SUCCESS", "ERROR")["status"] == "SUCCESS"
    audit = settled(running, export_id)
    [attempt] = audit["attempts"]
    assert (attempt["status"], attempt["tiles"]["failed"]) == ("SUCCEEDED", 0)
    assert [each["href"] for each in attempt["inputs"]] == ["s3://cutline-scenes/east.tif"]
    assert attempt["inputs"][0]["identity"]
    told = [event["what"] for event in audit["events"]]
    assert told[0] == "submitted" and "NotifySuccess was done" in told
    assert used(running) == {"exports_running": 0, "pixels_this_month": before + view(running, export_id)["pixels"]}


def test_a_cancelled_export_gives_everything_back_and_can_go_on(running: Running, area: Any) -> None:
    before = used(running)
    export_id = submit(running, area, FINE)
    until(running, export_id, "RENDERING")
    assert running.post(f"/exports/{export_id}/cancel").json()["status"] == "CANCELLED"
    [attempt] = settled(running, export_id)["attempts"]
    assert attempt["status"] == "ABORTED"
    assert used(running) == before
    assert running.post(f"/exports/{export_id}/cancel").status_code == 409
    assert running.get(f"/exports/{export_id}/download").status_code in (404, 409)

    assert running.post(f"/exports/{export_id}/retry").status_code == 202
    done = until(running, export_id, "SUCCESS", "ERROR")
    assert (done["status"], done["attempt"]) == ("SUCCESS", 2)
    audit = settled(running, export_id)
    assert [each["status"] for each in audit["attempts"]] == ["ABORTED", "SUCCEEDED"]
    assert [event["what"] for event in audit["events"] if event["by"]] == [
        "submitted", "cancelled", "ended", "retried", "ended",
    ]  # fmt: skip
    link = running.get(f"/exports/{export_id}/download").headers["Location"]
    assert len(requests.get(link, timeout=30).content) == done["result"]["nbytes"]
    assert running.post(f"/exports/{export_id}/retry").status_code == 409


def test_an_export_whose_source_is_missing_says_so(running: Running, area: Any) -> None:
    before = used(running)
    export_id = submit(running, area, COARSE, source={"scenes": ["s3://cutline-scenes/nowhere.tif"]})
    failed = until(running, export_id, "SUCCESS", "ERROR")
    assert (failed["status"], failed["error"]["code"]) == ("ERROR", "invalid-scene")
    [attempt] = settled(running, export_id)["attempts"]
    assert [run["state"] for run in attempt["states"]] == ["Plan", "MarkError", "NotifyError", "Failed"]
    assert used(running) == before


def test_a_deleted_export_is_gone(running: Running, area: Any) -> None:
    export_id = submit(running, area, COARSE, name="short-lived")
    until(running, export_id, "SUCCESS", "ERROR")
    link = running.get(f"/exports/{export_id}/download").headers["Location"]
    assert running.ask("DELETE", f"/exports/{export_id}").status_code == 204
    assert running.get(f"/exports/{export_id}").status_code == 404
    assert requests.get(link, timeout=30).status_code == 404
    assert submit(running, area, COARSE, name="short-lived") != export_id, "the same request is a new export"
