"""The life of an export in the local service: its end is settled, it is cancelled, tried again, told of and deleted."""

from __future__ import annotations

from typing import Any

import requests

from tests.support.local import SCENE, Running, eventually

COARSE, FINE = 20, 1
"""Units a pixel: rendered in a moment, and in seconds"""


def settled(running: Running, export_id: str) -> dict[str, Any]:
    """Its audit, once the last attempt is archived."""

    def look() -> Any:
        audit = running.get(f"/exports/{export_id}/audit").json()
        return audit["attempts"][-1]["source"] == "archive" and audit

    found: dict[str, Any] = eventually(look, 60, f"the archive of {export_id}")
    return found


def test_the_end_of_an_export_is_settled_and_told(running: Running, area: Any) -> None:
    before = running.idle()["pixels_this_month"]
    export_id = running.submit(area, COARSE, name="north field", notify={"email": True})
    assert running.ended(export_id)["status"] == "SUCCESS"
    audit = settled(running, export_id)
    [attempt] = audit["attempts"]
    assert (attempt["status"], attempt["tiles"]["failed"]) == ("SUCCEEDED", 0)
    assert [each["href"] for each in attempt["inputs"]] == [SCENE]
    assert attempt["inputs"][0]["identity"]
    told = [event["what"] for event in audit["events"]]
    assert told[0] == "submitted" and "NotifySuccess was done" in told
    assert running.idle()["pixels_this_month"] == before + running.view(export_id)["pixels"]


def test_a_cancelled_export_gives_everything_back_and_can_go_on(running: Running, area: Any) -> None:
    before = running.idle()
    export_id = running.submit(area, FINE)
    running.until(export_id, "RENDERING")
    assert running.post(f"/exports/{export_id}/cancel").json()["status"] == "CANCELLED"
    [attempt] = settled(running, export_id)["attempts"]
    assert attempt["status"] == "ABORTED"
    assert running.get("/me").json()["used"] == before
    assert running.post(f"/exports/{export_id}/cancel").status_code == 409
    assert running.get(f"/exports/{export_id}/download").status_code in (404, 409)

    assert running.post(f"/exports/{export_id}/retry").status_code == 202
    done = running.ended(export_id)
    assert (done["status"], done["attempt"]) == ("SUCCESS", 2)
    audit = settled(running, export_id)
    assert [each["status"] for each in audit["attempts"]] == ["ABORTED", "SUCCEEDED"]
    assert [event["what"] for event in audit["events"] if event["by"]] == [
        "submitted", "cancelled", "ended", "retried", "ended",
    ]  # fmt: skip
    assert len(running.cog(export_id)) == done["result"]["nbytes"]
    assert running.post(f"/exports/{export_id}/retry").status_code == 409


def test_an_export_whose_source_is_missing_says_so(running: Running, area: Any) -> None:
    before = running.idle()
    export_id = running.submit(area, COARSE, scene="s3://cutline-scenes/nowhere.tif")
    failed = running.ended(export_id)
    assert (failed["status"], failed["error"]["code"]) == ("ERROR", "invalid-scene")
    [attempt] = settled(running, export_id)["attempts"]
    assert [run["state"] for run in attempt["states"]] == ["Begin", "Plan", "MarkError", "NotifyError", "Failed"]
    assert running.get("/me").json()["used"] == before
    assert "Exception" not in running.said(), "the terminal is for people"


def test_a_deleted_export_is_gone(running: Running, area: Any) -> None:
    export_id = running.submit(area, COARSE, name="short-lived")
    running.ended(export_id)
    link = running.get(f"/exports/{export_id}/download").headers["Location"]
    assert running.ask("DELETE", f"/exports/{export_id}").status_code == 204
    assert running.get(f"/exports/{export_id}").status_code == 404
    assert requests.get(link, timeout=30).status_code == 404
    assert running.submit(area, COARSE, name="short-lived") != export_id, "the same request is a new export"
