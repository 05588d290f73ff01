"""/webhooks and /me/preferences, as their owners use them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cutline.models.notification import WebhookRecord
from cutline.models.record import DeliveryRecord, Failure, now
from cutline.service.webhook_events import event_of_delivery, event_of_end
from cutline.service.webhook_sending import announce
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.webhooks import Webhooks
from tests.support.api import ANNA, BEN, Call
from tests.support.exports import make_export
from tests.support.receiver import notices

ADDRESS = "https://8.8.8.8/in?source=cutline"
"""Public, and no name that would have to be looked up"""


def make(api: Call, **body: Any) -> dict[str, Any]:
    made = api("POST", "/webhooks", body={"url": ADDRESS, **body})
    assert made.status == 201, made.text
    assert made.headers["location"] == made.json["links"]["self"]
    return dict(made.json)


def test_a_webhook_shows_its_secret_once(api: Call) -> None:
    made = make(api)
    assert made["secret"].startswith("whsec_") and len(made["secret"]) == 50
    path = f"/webhooks/{made['webhook_id']}"
    shown = api("GET", path)
    assert shown.json == {**made, "secret": None}
    assert api("GET", "/webhooks").json == {"webhooks": [shown.json]}
    assert "whsec_" not in json.dumps(client("dynamodb").scan(TableName="cutline-test")["Items"])


def test_who_names_no_events_hears_of_all(api: Call) -> None:
    assert make(api)["events"] == [
        "cutline.export.succeeded", "cutline.export.failed", "cutline.export.cancelled",
        "cutline.delivery.succeeded", "cutline.delivery.failed",
    ]  # fmt: skip


def test_what_is_not_named_stays(api: Call) -> None:
    made = make(api, events=["cutline.export.failed"])
    path = f"/webhooks/{made['webhook_id']}"
    changed = api("PATCH", path, body={"enabled": False})
    assert changed.status == 200
    assert changed.json == {**made, "secret": None, "enabled": False, "updated_at": changed.json["updated_at"]}
    changed = api("PATCH", path, body={"url": "https://1.1.1.1/", "events": ["cutline.export.succeeded"] * 2})
    assert (changed.json["url"], changed.json["events"]) == ("https://1.1.1.1/", ["cutline.export.succeeded"])
    assert not changed.json["enabled"]


def test_switching_it_on_forgets_why_it_was_off(api: Call, aws: ServiceSettings) -> None:
    made = make(api)
    webhooks = Webhooks(aws.table)
    record = webhooks.get(ANNA, made["webhook_id"])
    off = record.model_copy(update={"enabled": False, "problem": Failure(code="gone", message="410")})
    webhooks.replace(record, off)
    path = f"/webhooks/{made['webhook_id']}"
    assert api("GET", path).json["problem"]["code"] == "gone"
    on = api("PATCH", path, body={"enabled": True}).json
    assert (on["enabled"], on["problem"]) == (True, None)


def test_a_new_secret_comes_with_the_change(api: Call) -> None:
    made = make(api)
    path = f"/webhooks/{made['webhook_id']}"
    changed = api("PATCH", path, body={"rotate_secret": True}).json
    assert changed["secret"].startswith("whsec_") and changed["secret"] != made["secret"]
    assert api("GET", path).json["secret"] is None


def test_deleting_takes_the_secret_and_the_log(api: Call, aws: ServiceSettings) -> None:
    made = make(api)
    announce(ANNA, event_of_end(make_export(owner=ANNA, status="SUCCESS")))
    path = f"/webhooks/{made['webhook_id']}"
    assert api("DELETE", path).status == 204
    assert [api("GET", path + more).status for more in ("", "/deliveries")] == [404, 404]
    assert client("secretsmanager").list_secrets()["SecretList"] == []
    left = client("dynamodb").scan(TableName=aws.table)["Items"]
    assert not [item for item in left if item["pk"]["S"].startswith("WEBHOOK")]


REFUSED = {
    "http://8.8.8.8/": "begins with https://",
    "ftp://8.8.8.8/": "begins with https://",
    "https:///nobody": "begins with https://",
    "https://8.8.8.8:99999/": "is no address",
    "https://anna:secret@8.8.8.8/": "neither user, password nor fragment",
    "https://8.8.8.8/#part": "neither user, password nor fragment",
    "https://8.8.8.8/é": "plain ASCII",
    "https://8.8.8.8/a b": "plain ASCII",
    "https://8.8.8.8/\r\nX-Evil: 1": "plain ASCII",
    "https://127.0.0.1/": "private network",
    "https://[::ffff:10.0.0.1]/": "private network",
    "https://169.254.169.254/latest/meta-data": "never asked",
    "https://[fd00:ec2::254]/": "never asked",
    "https://[64:ff9b::a9fe:a9fe]/": "never asked",
    "https://[64:ff9b::10.0.0.1]/": "private network",
    "https://[::127.0.0.1]/": "private network",
    "https://localhost/": "private network",
    f"https://{'a' * 70}.example.org/": "is not found",
}


def test_addresses_that_are_refused(api: Call) -> None:
    path = f"/webhooks/{make(api)['webhook_id']}"
    for url, said in REFUSED.items():
        for answer in (api("POST", "/webhooks", body={"url": url}), api("PATCH", path, body={"url": url})):
            assert (answer.status, answer.json["pointer"]) == (422, "/url"), url
            assert said in answer.json["detail"], url


def test_webhooks_that_are_made_at_once_are_no_more(api: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    create = Webhooks.create

    def beside_another(webhooks: Webhooks, record: WebhookRecord) -> None:
        create(webhooks, record.model_copy(update={"webhook_id": "b" * 24}))
        create(webhooks, record)

    monkeypatch.setattr("cutline.service.webhooks.MOST", 1)
    monkeypatch.setattr(Webhooks, "create", beside_another)
    assert api("POST", "/webhooks", body={"url": ADDRESS}).json["code"] == "too-large"
    assert [each["webhook_id"] for each in api("GET", "/webhooks").json["webhooks"]] == ["b" * 24]


def test_there_is_a_most(api: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutline.service.webhooks.MOST", 2)
    make(api)
    made = make(api)
    assert api("POST", "/webhooks", body={"url": ADDRESS}).json["code"] == "too-large"
    assert api("POST", "/webhooks", who=BEN, body={"url": ADDRESS}).status == 201
    api("DELETE", f"/webhooks/{made['webhook_id']}")
    make(api)


def test_the_log_in_pages(api: Call) -> None:
    path = f"/webhooks/{make(api)['webhook_id']}/deliveries"
    assert api("GET", path).json == {"deliveries": [], "before": None}
    for number in range(3):
        announce(ANNA, event_of_end(make_export(f"{number:024}", owner=ANNA, status="ERROR")))
    first = api("GET", path, query={"limit": "2"}).json
    assert [each["number"] for each in first["deliveries"]] == [3, 2]
    second = api("GET", path, query={"limit": "2", "before": str(first["before"])}).json
    assert [each["number"] for each in second["deliveries"]] == [1]
    assert second["before"] is None
    newest = first["deliveries"][0]
    assert (newest["state"], newest["tries"], newest["event"]["subject"]) == ("pending", [], f"{2:024}")


@pytest.mark.parametrize("of", ["end", "delivery"])
def test_a_replay_is_the_same_event(api: Call, of: str) -> None:
    path = f"/webhooks/{make(api)['webhook_id']}/deliveries"
    record = make_export(owner=ANNA, status="SUCCESS")
    execution = f"{record.execution_name}-d1-0a1b2c"
    later = DeliveryRecord(delivery_id="d1", kind="s3", state="done", attempt=1, execution=execution, at=now())
    announce(ANNA, event_of_end(record) if of == "end" else event_of_delivery(record, later))
    [before] = api("GET", path).json["deliveries"]
    answer = api("POST", f"{path}/1/replay")
    assert answer.status == 202
    assert (answer.json["number"], answer.json["event"]) == (1, before["event"])
    assert [notice.round for notice in notices()] == [1, 2]
    assert api("POST", f"{path}/2/replay").status == 404
    assert api("POST", f"{path}/0/replay").status == 422


def test_preferences(api: Call) -> None:
    assert api("GET", "/me/preferences").json == {"email": "asked", "link": True, "attach": False}
    for change in ({"email": "failures"}, {"attach": True}, {"link": False}):
        changed = api("PATCH", "/me/preferences", body=change).json
        assert changed.items() >= change.items()
    assert api("GET", "/me/preferences").json == {"email": "failures", "link": False, "attach": True} == changed
    assert api("GET", "/me/preferences", who=BEN).json == {"email": "asked", "link": True, "attach": False}
    wrong = api("PATCH", "/me/preferences", body={"email": "sometimes"})
    assert (wrong.status, wrong.json["pointer"]) == (422, "/email")
