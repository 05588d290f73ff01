"""Exports brought to an SFTP server and a bucket of a user's, through the whole service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.local import Running, eventually
from tests.support.second_s3 import BUCKET, KEY, REGION, SECRET, SecondS3, second_s3
from tests.support.sftp_server import PASSWORD, SftpServer, sftp_server

__all__ = ["second_s3", "sftp_server"]

BEGUN = ("Begin", "OneMoreDelivery", "DeliverAll", "Deliver", "AllDelivered")
ENDED = ("JudgeDeliveries", "AllArrived", "Done")
"""States of a delivery that is asked for afterwards, but for how it ends"""


@pytest.fixture
def home(running: Running, sftp_server: SftpServer) -> Iterator[str]:
    """The path of a destination on the server."""
    settings = sftp_server.settings(prefix="{name}/{id}").model_dump(mode="json")
    body = {"name": "home", "settings": settings, "secret": {"password": PASSWORD}}
    made = running.post("/destinations", body)
    assert made.status_code == 201, made.text
    path = f"/destinations/{made.json()['destination_id']}"
    yield path
    running.ask("DELETE", path)


def wanted(home: str, **more: Any) -> dict[str, Any]:
    return {"kind": "destination", "destination_id": home.rpartition("/")[2], **more}


def delivered(running: Running, export: str) -> dict[str, dict[str, Any]]:
    """By prefix, once none is on its way any more."""
    return eventually(
        lambda: (
            (found := {each["prefix"]: each for each in running.view(export)["deliveries"] if each["kind"] == "sftp"})
            and all(each["state"] in ("done", "failed") for each in found.values())
            and found
        ),
        60,
        "the delivery",
    )


def test_a_destination_is_tried(running: Running, home: str, sftp_server: SftpServer) -> None:
    assert running.post(f"{home}/verify").json()["state"] == "verified"
    assert sftp_server.names() == []
    running.ask("PATCH", home, json={"secret": {"password": "wrong"}})
    failing = running.post(f"{home}/verify").json()
    assert (failing["state"], failing["problem"]["code"]) == ("failing", "bad-credentials")


def test_an_export_arrives_and_once_more(running: Running, home: str, sftp_server: SftpServer, area: Any) -> None:
    export = running.submit(area, 10, name="field", deliveries=[wanted(home)])
    assert running.ended(export)["status"] == "SUCCESS"
    folder = f"field/{export}"
    assert sftp_server.names() == [f"{folder}/field{suffix}" for suffix in (".json", ".manifest.json", ".tif")]
    assert (sftp_server.root / folder / "field.tif").read_bytes() == running.cog(export)

    again = running.post(f"/exports/{export}/deliveries", wanted(home, prefix="elsewhere"))
    assert again.status_code == 202, again.text
    assert {each["state"] for each in delivered(running, export).values()} == {"done"}
    assert (sftp_server.root / "elsewhere/field.tif").read_bytes() == running.cog(export)
    assert running.view(export)["status"] == "SUCCESS"

    sftp_server.writable = False
    running.post(f"/exports/{export}/deliveries", wanted(home, prefix="locked"))
    assert delivered(running, export)["locked"]["state"] == "failed"
    assert running.view(export)["status"] == "SUCCESS"

    audit = eventually(
        lambda: (
            (found := running.get(f"/exports/{export}/audit"))
            and {each["source"] for each in found.json()["deliveries"]} == {"archive"}
            and found
        ),
        what="the archive",
    )
    story = audit.text
    told = [line["what"] for line in audit.json()["events"]]
    assert [told.count(what) for what in ("delivery asked for", "delivered", "not delivered")] == [2, 1, 1]
    ways = [tuple(run["state"] for run in each["states"]) for each in audit.json()["deliveries"]]
    assert set(ways) == {(*BEGUN, how, *ENDED) for how in ("Delivered", "NotDelivered")}
    assert PASSWORD not in story + running.get(f"/exports/{export}/logs?limit=1000").text + running.said()


def test_an_export_arrives_in_a_bucket(running: Running, second_s3: SecondS3, area: Any) -> None:
    settings = {"kind": "s3", "bucket": BUCKET, "region": REGION, "endpoint": second_s3.url, "prefix": "{name}"}
    keys = {"access_key_id": KEY, "secret_access_key": SECRET}
    made = running.post("/destinations", {"name": "bucket", "settings": settings, "secret": keys}).json()
    assert running.post(f"/destinations/{made['destination_id']}/verify").json()["state"] == "verified"
    export = running.submit(area, 10, name="field", deliveries=[wanted(made["links"]["self"])])
    ended = running.ended(export)
    assert ended["status"] == "SUCCESS", ended
    assert second_s3.keys() == [f"field/field{suffix}" for suffix in (".json", ".manifest.json", ".tif")]
    assert second_s3.content("field/field.tif") == running.cog(export)
    [sent] = [each for each in ended["deliveries"] if each["kind"] == "s3"]
    assert sent["checksum"] == f"crc64nvme:{ended['result']['crc64nvme']}"
    assert SECRET not in running.said()


def test_a_full_disk_stops_an_export_before_it_renders(
    running: Running, home: str, sftp_server: SftpServer, area: Any
) -> None:
    sftp_server.disk = 1000
    ended = running.ended(running.submit(area, 10, name="large", deliveries=[wanted(home)]))
    assert (ended["status"], ended["error"]["code"]) == ("ERROR", "quota-exceeded")
    assert ended["tiles"]["done"] == 0
    assert "at least" in ended["error"]["message"]
