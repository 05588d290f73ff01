"""The commands, as people and programs call them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cutline.client.session import Logins
from cutline.models.api import ExportBody
from tests.client.website import ID, MACHINE, SECRET, Trouble, Website, view
from tests.support.cli import box, cutline, write_aoi

CONTENT = b"a cog" * 1000
AOI = box(400100, 5598900, 400600, 5599800)
SCENE = "https://example.org/a.tif"


@pytest.fixture(autouse=True)
def here(signed_in: Logins, home: Path) -> None:
    write_aoi(home / "area.geojson", *AOI)


def sent(website: Website) -> Any:
    """The body of the export that was asked for; the API's own model takes it."""
    (body,) = [body for (method, path, _), body in zip(website.requests, website.bodies, strict=True)
               if (method, path) == ("POST", "/exports")]  # fmt: skip
    ExportBody.model_validate_json(body)
    return json.loads(body)


def test_an_export_is_asked_for(website: Website) -> None:
    website.views = [view("SUBMITTED")]
    ran = cutline(
        "submit", "--scene", SCENE, "--scene", "red=s3://b/B04.tif,nir=s3://b/B08.tif", "--aoi", "area.geojson",
        "--process", "ndvi", "--crs", "EPSG:3857", "--resolution", 10, "--profile", "zstd", "--level", 9,
        "--mosaic", "least-cloud", "--mask-asset", "scl", "--mask-values", "3,8-10", "--datetime", "2024-06-01/..",
        "--band-names", "red,nir", "--dtype", "int16", "--scale", "0.0001", "--nodata", "-1", "--resampling", "cubic",
        "--name", "field", "--email", "--max-cost", "2.5", "--idempotency-key", "k", "--like", "s3://b/like.tif",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert ID in ran.out
    assert "SUBMITTED" in ran.out
    body = sent(website)
    assert body.pop("aoi")["type"] == "MultiPolygon"
    assert body == {
        "name": "field",
        "source": {
            "scenes": [SCENE, {"red": "s3://b/B04.tif", "nir": "s3://b/B08.tif"}],
            "band_names": ["red", "nir"],
            "mask": {"asset": "scl", "values": [3, 8, 9, 10], "bits": []},
            "datetime": "2024-06-01/..",
        },
        "process": "ndvi",
        "mosaic": "least-cloud",
        "output": {
            "crs": "EPSG:3857", "resolution": 10.0, "profile": "zstd", "level": 9, "dtype": "int16", "scale": 0.0001,
            "nodata": -1.0, "resampling": "cubic", "like": "s3://b/like.tif",
        },
        "notify": {"email": True},
        "max_cost": 2.5,
    }  # fmt: skip
    assert website.asked("/exports")[0]["Idempotency-Key"] == "k"


def test_what_is_not_said_is_not_sent(website: Website, home: Path) -> None:
    website.views = [view("SUBMITTED")]
    graph = {"load": {"process_id": "load_collection", "arguments": {"id": "scenes"}, "result": True}}
    (home / "graph.json").write_text(json.dumps(graph))
    assert cutline("submit", "--scene", SCENE, "--graph", "graph.json", "--nodata", "nan").code == 0
    assert sent(website) == {"source": {"scenes": [SCENE]}, "process": graph, "output": {"nodata": "NaN"}}
    assert "Idempotency-Key" not in website.asked("/exports")[0]


REFUSED = {
    "a local scene": (("--scene", "a.tif"), "a.tif is a file of this machine"),
    "a local band": (("--scene", "red=b.tif,nir=s3://b/c.tif"), "b.tif is a file of this machine"),
    "a local file as URL": (("--scene", "file:///a.tif"), "file of this machine"),
    "a local grid": (("--scene", SCENE, "--like", "a.tif"), "a.tif is a file of this machine"),
    "no area": (("--scene", SCENE, "--aoi", "nothing.geojson"), "no file"),
    "two processes": (("--scene", SCENE, "--process", "ndvi", "--expression", "b1"), "choose one"),
    "a process and a graph": (("--scene", SCENE, "--process", "ndvi", "--graph", "g.json"), "choose one"),
    "half a mask": (("--scene", SCENE, "--mask-asset", "scl"), "go together"),
    "a resolution": (("--scene", SCENE, "--resolution", "0"), "above 0"),
    "an interval": (("--scene", SCENE, "--datetime", "yesterday"), "START/END"),
    "a name": (("--scene", SCENE, "--name", "a/b"), "/name"),
    "no such option": (("--scene", SCENE, "--workers", "2"), "--workers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_sent_is_said_before_it_is(website: Website, name: str) -> None:
    words, told = REFUSED[name]
    ran = cutline("submit", *words)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert ran.err.count("\n") == 1
    assert website.requests == []


def test_submit_wait_and_download(website: Website, home: Path) -> None:
    website.finished(CONTENT)
    website.views = [view("SUBMITTED"), view("RENDERING"), *website.views]
    website.troubles = [Trouble(f"/exports/{ID}", status=503, headers={"Retry-After": "0"})]
    ran = cutline("submit", "--scene", SCENE, "--download", "out.tif", "--every", 0)
    assert ran.code == 0, ran.err
    assert (home / "out.tif").read_bytes() == CONTENT
    assert "SUCCESS" in ran.out
    assert "out.tif" in ran.out


def test_programs_get_one_document(website: Website, home: Path) -> None:
    website.finished(CONTENT)
    ran = cutline("submit", "--scene", SCENE, "--wait", "--download", "out.tif", "--every", 0, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.report["status"] == "SUCCESS"
    assert cutline("status", ID, "--json").report == ran.report
    assert cutline("wait", ID, "--json").report == ran.report
    assert cutline("cancel", ID, "--json").report["status"] == "CANCELLED"


@pytest.mark.parametrize(("status", "code"), [("SUCCESS", 0), ("ERROR", 1), ("CANCELLED", 1)])
def test_the_exit_code_says_how_it_ended(website: Website, status: str, code: int) -> None:
    error = {"code": "source-unavailable", "message": "tile (0, 1): [red] did not answer"}
    website.views = [view("RENDERING"), view(status, error=error if status == "ERROR" else None)]
    ran = cutline("wait", ID, "--every", 0)
    assert ran.code == code
    assert status in ran.out
    assert ("source-unavailable: tile (0, 1): [red] did not answer" in ran.out) == (status == "ERROR")


def _press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_while_waiting(website: Website) -> None:
    website.views = [view("RENDERING")]
    website.troubles = [Trouble(f"/exports/{ID}", status=503, but_first=_press_ctrl_c)]
    ran = cutline("submit", "--scene", SCENE, "--wait")
    assert ran.code == 130
    assert ran.err.splitlines()[-1] == f"stopped waiting; the export goes on: cutline wait {ID}"


def test_ctrl_c_while_downloading(website: Website, home: Path) -> None:
    website.finished(CONTENT)
    website.troubles = [Trouble("/files/", status=503, but_first=_press_ctrl_c)]
    ran = cutline("download", ID, "--out", "my field.tif")
    assert ran.code == 130
    assert ran.err.splitlines()[-1] == f"stopped; to go on: cutline download {ID} --out 'my field.tif'"
    assert cutline("download", ID, "--out", "my field.tif").code == 0


def test_what_failed_is_not_downloaded(website: Website, home: Path) -> None:
    website.views = [view("ERROR")]
    assert cutline("wait", ID, "--download", "out.tif").code == 1
    assert not (home / "out.tif").exists()


def test_the_latest_exports(website: Website) -> None:
    website.listed = [view("SUCCESS", name=f"field-{number}") for number in range(5)]
    ran = cutline("status", "--limit", 3)
    assert [f"field-{number}" in ran.out for number in range(5)] == [True, True, True, False, False]
    assert len(cutline("status", "--json").report) == 5
    cutline("status", "--status", "ERROR")
    assert "status=ERROR" in website.requests[-1][1]


def test_ids_stay_whole_where_nobody_looks(website: Website) -> None:
    ids = [f"{number:024x}" for number in range(3)]
    website.listed = [view("RENDERING", export_id=each, name="n" * 90) for each in ids]
    lines = [line.split() for line in cutline("status").out.splitlines() if "RENDERING" in line]
    assert [(words[0], words[-1]) for words in lines] == [(each, "n" * 90) for each in ids]


def test_download_takes_the_exports_name(website: Website, home: Path) -> None:
    website.finished(CONTENT)
    ran = cutline("download", ID)
    assert (ran.code, ran.out) == (0, "north-field.tif, 5 kB, checksum right\n")
    assert (home / "north-field.tif").read_bytes() == CONTENT
    website.views[0]["name"] = "../../etc/passwd"
    assert cutline("download", ID, "-q").out == ""
    assert (home / "passwd.tif").read_bytes() == CONTENT


def test_a_damaged_download_is_one_line(website: Website, home: Path) -> None:
    website.finished(CONTENT)
    website.files[ID] = CONTENT[::-1]
    ran = cutline("download", ID)
    assert ran.code == 1
    assert ran.err.startswith("internal-error: ")
    assert ran.err.count("\n") == 1
    assert not (home / "north-field.tif").exists()


def test_audit_tells_a_story(website: Website) -> None:
    error = {"code": "source-unavailable", "message": "[red] did not answer"}
    website.events = [
        {"at": "2026-11-21T06:00:00.123Z", "what": "submitted", "by": "anna", "attempt": 1},
        {"at": "2026-11-21T06:00:01.5Z", "what": "Plan was done", "attempt": 1, "details": {"seconds": 1.234}},
        {"at": "2026-11-21T06:00:02Z", "what": "tile (0, 1) failed", "attempt": 1, "details": {"error": error}},
    ]
    assert cutline("audit", ID).out.splitlines() == [
        "2026-11-21 06:00:00.123  submitted by anna",
        "2026-11-21 06:00:01.5  Plan was done after 1.2 s",
        "2026-11-21 06:00:02  tile (0, 1) failed: source-unavailable [red] did not answer",
    ]
    assert cutline("audit", ID, "--json").report["events"] == website.events
    website.events.append({"at": "2026-11-21T07:00:00.000Z", "what": "retried", "by": "anna", "attempt": 2})
    assert "attempt 2: retried by anna" in cutline("audit", ID).out


def test_problems_are_one_line(website: Website) -> None:
    ran = cutline("status", "nope/../e0")
    assert (ran.code, ran.err) == (1, "not-found: there is no such thing (/export_id)\n")


def test_login_of_a_machine(url: str, website: Website, monkeypatch: pytest.MonkeyPatch) -> None:
    Logins().path.unlink()
    assert cutline("status").err.startswith("invalid-request: which service?")
    assert cutline("status", "--url", url).err.startswith("access-denied: you are not signed in there")
    ran = cutline("login", "--url", url, "--client-id", MACHINE, "--client-secret", SECRET)
    assert (ran.code, ran.out) == (0, f"signed in to {url}\n")
    assert cutline("status").code == 0
    assert "go together" in cutline("login", "--url", url, "--client-id", MACHINE).err
    monkeypatch.setenv("CUTLINE_URL", "http://10.1.2.3")
    assert "https only" in cutline("status").err


def test_an_export_does_without_all_this() -> None:
    code = (
        "import sys; from cutline.commands import cutline; "
        "cutline(['export', '--help'], standalone_mode=False); "
        "print(*sorted(name for name in sys.modules if name == 'requests' or name.startswith('cutline.client')))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == ""
