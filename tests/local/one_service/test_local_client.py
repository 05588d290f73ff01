"""The commands against the local service: the deployed API, state machine and functions on this machine."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config

from cutline.client import oauth
from cutline.client.api import Api
from cutline.client.session import Logins
from local.aws import INTERPRETER, REGION
from local.tokens import MACHINE, MACHINE_SECRET, USERS
from tests.support.cli import box, cutline, write_aoi
from tests.support.local import Running, eventually

INSIDE = box(400100, 5598900, 400600, 5599800)


@pytest.fixture
def scene(running: Running) -> str:
    return f"{running.url}/cutline-scenes/small.tif"


@pytest.fixture
def machine(running: Running, home: Path) -> Api:
    """A machine is signed in by the command, in the folder where an area lies."""
    ran = cutline("login", "--url", running.url, "--client-id", MACHINE, "--client-secret", MACHINE_SECRET)
    assert ran.code == 0, ran.err
    write_aoi(home / "area.geojson", *INSIDE)
    return Api(running.url, Logins())


def test_a_person_signs_in(running: Running, home: Path) -> None:
    """As in the browser, but that the form is filled in by us."""

    def browser(address: str) -> None:
        user = USERS["demo"]
        sent = requests.post(
            address, data={"username": user.name, "password": user.password}, allow_redirects=False, timeout=30
        )
        back = sent.headers["Location"]
        threading.Thread(target=lambda: requests.get(back, timeout=30), daemon=True).start()

    logins = Logins()
    logins.keep(running.url, oauth.sign_in(oauth.discover(running.url), browser, port=0), latest=True)
    assert Api(running.url, logins).get("/me")["username"] == "demo"
    logins.keep(running.url, oauth.renewed(logins.get(running.url)), latest=True)
    assert Api(running.url, logins).get("/me")["username"] == "demo"


def test_the_services_file_is_the_command_lines(machine: Api, scene: str, scenes: Path, home: Path) -> None:
    wanted = ("--aoi", "area.geojson", "--process", "ndvi", "--crs", "EPSG:3857", "--resolution", 10)
    ran = cutline("submit", "--scene", scene, *wanted, "--name", "field", "--download", "service.tif", "--every", 0.1)
    assert ran.code == 0, ran.err
    here = cutline("export", "--scene", scenes / "small.tif", *wanted, "--workers", 1, "-o", "here.tif")
    assert here.code == 0, here.err
    assert (home / "service.tif").read_bytes() == (home / "here.tif").read_bytes()
    (latest,) = cutline("status", "--limit", 1, "--json").report
    assert latest["name"] == "field"
    assert "submitted by" in cutline("audit", latest["export_id"]).out
    again = cutline("submit", "--scene", scene, *wanted, "--name", "field", "--json")
    assert again.report["export_id"] == latest["export_id"], "the same request within a day"
    assert cutline("cancel", latest["export_id"]).err.startswith("conflict: ")


def test_what_the_service_refuses_is_one_line(machine: Api, scene: str) -> None:
    ran = cutline("submit", "--scene", scene, "--process", "nvdi")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("invalid-process: ")
    assert ran.err.endswith("(/process)\n")


def test_an_upload_becomes_an_export(machine: Api, running: Running, scene: str, home: Path) -> None:
    """POST /uploads, the form, the queue, the area, the preset, the export, its file."""
    area = (home / "area.geojson").read_bytes()
    _put_preset(running, scene)
    made = running.post("/uploads", {"filename": "area.geojson", "preset": "weekly"}, MACHINE).json()
    form = made["form"]
    assert requests.post(form["url"], data=form["fields"], files={"file": area}, timeout=30).status_code == 204
    view = eventually(lambda: _exported(running, made["upload_id"]), what="the export of the upload")
    assert cutline("wait", view["export_id"], "--download", "upload.tif", "--every", 0.1).code == 0
    assert (home / "upload.tif").exists()
    shown = running.get(f"/exports/{view['export_id']}", MACHINE).json()
    assert (shown["name"], shown["origin"]) == ("area", made["upload_id"])
    assert requests.get(view["links"]["original"], timeout=30).content == area


def test_a_dropped_file_becomes_an_export_once(machine: Api, running: Running, scene: str, home: Path) -> None:
    _put_preset(running, scene)
    s3: Any = boto3.client(
        "s3", endpoint_url=running.url, region_name=REGION, aws_access_key_id=INTERPRETER[0],
        aws_secret_access_key=INTERPRETER[1], config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip
    before = len(running.get("/uploads", MACHINE).json()["uploads"])
    bad, good = b"{}", (home / "area.geojson").read_bytes()
    for name, content in (("dropped.geojson", good), ("broken.geojson", bad)):
        s3.put_object(Bucket="cutline-inbox", Key=f"inbox/{MACHINE}/weekly/{name}", Body=content)

    def settled() -> Any:
        views = running.get("/uploads", MACHINE).json()["uploads"][: -before or None]
        ended = [view for view in views if view["state"] == "REJECTED" or view["export_id"]]
        return ended if len(ended) == 2 else None

    by_name = {view["filename"]: view for view in eventually(settled, what="what came of the dropped files")}
    assert by_name["broken.geojson"]["findings"][0]["severity"] == "error"
    assert cutline("wait", by_name["dropped.geojson"]["export_id"], "--every", 0.1).code == 0


def _put_preset(running: Running, scene: str) -> None:
    body = {"source": {"scenes": [scene]}, "process": "ndvi", "output": {"crs": "EPSG:3857", "resolution": 20}}
    headers = {"Content-Type": "application/json"}
    answer = running.ask("PUT", "/presets/weekly", MACHINE, data=json.dumps(body), headers=headers)
    assert answer.status_code == 200, answer.text


def _exported(running: Running, upload_id: str) -> Any:
    view = running.get(f"/uploads/{upload_id}", MACHINE).json()
    assert view["state"] != "REJECTED" and not view["error"], view
    return view if view["export_id"] else None
