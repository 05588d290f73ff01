"""The ends of exports as their owners hear of them, through the whole local service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from tests.support.local import Running, eventually, make_area
from tests.support.receiver import Receiver, receiving

COARSE, FINE = 20, 1
"""Units a pixel: rendered in a moment, and in seconds"""


def heard(receiver: Receiver, export_id: str) -> dict[str, Any]:
    """The event of an export, once it has come; others' ends are told as well."""

    def event() -> dict[str, Any] | None:
        return next((each.json for each in receiver.received if each.json["subject"] == export_id), None)

    return eventually(event, 60, "the event")  # type: ignore[return-value] # not until there is one


def _outbox(running: Running, subject: str) -> str:
    """The list of mails, once there is such a one."""
    page = requests.get(f"{running.url}/outbox", timeout=30).text
    return page if subject in page else ""


def test_a_success_is_told_by_mail_and_webhook(running: Running, area: Any) -> None:
    running.ask("PATCH", "/me/preferences", json={"attach": True})
    with receiving() as receiver:
        webhook = running.post("/webhooks", {"url": receiver.url}).json()
        export_id = running.submit(area, COARSE, name="told-of", notify={"email": True})
        assert running.ended(export_id)["status"] == "SUCCESS"
        event = heard(receiver, export_id)
    assert (event["type"], event["data"]["name"]) == ("cutline.export.succeeded", "told-of")
    log = webhook["links"]["deliveries"].removeprefix(running.url)
    eventually(lambda: running.get(log).json()["deliveries"][0]["state"] == "done", 30, "the log of it")
    page = eventually(lambda: _outbox(running, "Your export told-of is ready"), 60, "the mail")
    number = page.split('href="/outbox/', 1)[1].partition('"')[0]  # the newest
    mail = f"{running.url}/outbox/{number}"
    assert requests.get(f"{mail}/quicklook", timeout=30).content.startswith(b"\x89PNG")
    assert requests.get(f"{mail}/told-of.tif", timeout=30).content == running.cog(export_id)
    link = requests.get(mail, timeout=30).text.split(f'href="{running.url}/l/', 1)[1].partition('"')[0]
    assert requests.get(f"{running.url}/l/{link}", timeout=30).content == running.cog(export_id)
    running.ask("DELETE", f"/webhooks/{webhook['webhook_id']}")
    running.ask("PATCH", "/me/preferences", json={"attach": False})


def test_a_cancelled_export_is_told_though_no_state_of_it_runs_any_more(running: Running, tmp_path: Path) -> None:
    area = make_area(tmp_path / "aoi.json", 700)  # nobody else's: tiles that are there already are not rendered
    with receiving() as receiver:
        webhook = running.post("/webhooks", {"url": receiver.url}).json()
        export_id = running.submit(area, FINE)
        running.until(export_id, "RENDERING")
        running.post(f"/exports/{export_id}/cancel")
        event = heard(receiver, export_id)
    assert (event["type"], event["subject"]) == ("cutline.export.cancelled", export_id)
    running.ask("DELETE", f"/webhooks/{webhook['webhook_id']}")
