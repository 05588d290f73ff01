"""Webhooks as their receivers see them: what comes, by whose signature, how often; and what never goes anywhere."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import socket
import ssl
from typing import Any

import pytest

from cutline.errors import InternalError, TransientError
from cutline.models.api_webhooks import NewWebhook, WebhookChange
from cutline.models.notification import WebhookDelivery, WebhookNotice
from cutline.models.record import DeliveryRecord, ExportRecord, Failure, now
from cutline.service.callers import Caller
from cutline.service.webhook_events import event_of_delivery, event_of_end
from cutline.service.webhook_sending import WAITS, announce, send
from cutline.service.webhooks import change_webhook, create_webhook, delete_webhook, replay
from cutline.settings import ServiceSettings
from cutline.store import receivers
from cutline.store.clients import client
from cutline.store.guarded import Pace
from cutline.store.records import Records
from cutline.store.webhooks import Webhooks
from functions.notify.handler import handler
from tests.support.exports import make_cog, make_export
from tests.support.receiver import Received, empty, hand_over, notices, receiving, waiting

ANNA = Caller(sub="anna")


@pytest.fixture(autouse=True)
def near(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Receivers may be on loopback, which these are."""
    monkeypatch.setenv("CUTLINE_PRIVATE_HOSTS", "1")


def end(status: str = "SUCCESS", export_id: str = "e1", **more: Any) -> ExportRecord:
    """An export of Anna's that has ended, which her webhooks are told of."""
    record = make_export(export_id, owner="anna", status=status, **more)
    announce("anna", event_of_end(record))
    return record


def delivery(aws: ServiceSettings, number: int = 1) -> WebhookDelivery:
    [webhook] = Webhooks(aws.table).of_owner("anna")
    return Webhooks(aws.table).delivery(webhook.webhook_id, number)


def at_once(notice: WebhookNotice) -> WebhookDelivery | None:
    """Try it, though its time has not come."""
    webhooks = Webhooks("cutline-test")
    before = webhooks.delivery(notice.webhook_id, notice.number)
    webhooks.put_delivery(before, before.model_copy(update={"next_at": now()}))
    return send(notice)


def verified(received: Received, secret: str) -> bool:
    """As the specification has it, written anew: whether one of the signatures is by ``secret``."""
    signed = b".".join(
        [received.headers["webhook-id"].encode(), received.headers["webhook-timestamp"].encode(), received.content]
    )
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return wanted in received.headers["webhook-signature"].split(" ")


def test_what_comes_is_a_signed_cloudevent(aws: ServiceSettings) -> None:
    with receiving() as receiver:
        _, secret = create_webhook(ANNA, NewWebhook(url=f"{receiver.url}?token=1"))
        record = make_cog(aws, make_export(owner="anna", status="SUCCESS", pixels=12))
        there = DeliveryRecord(delivery_id="d1", kind="s3", state="done", attempt=1, uri="s3://annas/a.tif")
        announce("anna", event_of_end(record, [there]))
        assert hand_over(handler, *(notice.model_dump() for notice in notices())) == []
    [received] = receiver.received
    assert received.path == "/in?token=1"
    assert received.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert verified(received, secret) and not verified(received, "whsec_" + "A" * 44)
    assert abs(int(received.headers["webhook-timestamp"]) - now().timestamp()) < 60
    event = received.json
    assert received.headers["webhook-id"] == event["id"] == "e1-1"
    assert {key: event[key] for key in event.keys() - {"data"}} == {
        "specversion": "1.0", "id": "e1-1", "source": "https://api.example.org/exports",
        "type": "cutline.export.succeeded", "subject": "e1", "datacontenttype": "application/json",
        "time": record.model_dump(mode="json")["updated_at"],
    }  # fmt: skip
    assert event["data"]["status"] == "SUCCESS"
    assert event["data"]["pixels"] == 12
    assert event["data"]["deliveries"] == [
        {"delivery_id": "d1", "kind": "s3", "state": "done", "uri": "s3://annas/a.tif"}
    ]
    assert event["data"]["links"] == {
        "self": "https://api.example.org/exports/e1",
        "download": "https://api.example.org/exports/e1/download",
    }
    assert (delivery(aws).state, delivery(aws).tries[0].status) == ("done", 204)


def test_a_failure_says_why(aws: ServiceSettings) -> None:
    with receiving() as receiver:
        create_webhook(ANNA, NewWebhook(url=receiver.url))
        end("ERROR", error=Failure(code="source-unavailable", message="scene S2A did not answer"))
        send(notices()[0])
    [received] = receiver.received
    assert received.json["type"] == "cutline.export.failed"
    assert received.json["data"]["error"] == {"code": "source-unavailable", "message": "scene S2A did not answer"}
    assert "download" not in received.json["data"]["links"]


@pytest.mark.parametrize("state", ["done", "failed"])
def test_a_delivery_by_itself_is_an_event_by_itself(aws: ServiceSettings, state: str) -> None:
    outcome: dict[str, dict[str, Any]] = {
        "done": {"uri": "s3://annas/a.tif", "checksum": "crc64nvme:AAAAAAAAAAA="},
        "failed": {"error": {"code": "bad-credentials", "message": "the token was revoked"}},
    }
    with receiving() as receiver:
        _, secret = create_webhook(ANNA, NewWebhook(url=receiver.url))
        record = make_cog(aws, make_export(owner="anna", status="SUCCESS"))
        brought = {"delivery_id": "d1", "kind": "s3", "destination_id": "home", "state": state, **outcome[state]}
        kept = DeliveryRecord.model_validate({**brought, "attempt": 1, "execution": "e1-1-d1-0a1b2c", "at": now()})
        announce("anna", event_of_delivery(record, kept))
        assert hand_over(handler, *(notice.model_dump() for notice in notices())) == []
    [received] = receiver.received
    assert verified(received, secret)
    assert received.headers["webhook-id"] == "e1-1-d1-0a1b2c"
    assert received.json == {
        "specversion": "1.0", "id": "e1-1-d1-0a1b2c", "source": "https://api.example.org/exports",
        "type": {"done": "cutline.delivery.succeeded", "failed": "cutline.delivery.failed"}[state], "subject": "e1",
        "time": kept.model_dump(mode="json")["at"], "datacontenttype": "application/json",
        "data": {
            "export_id": "e1", "name": "north field", "delivery": brought,
            "links": {
                "self": "https://api.example.org/exports/e1",
                "download": "https://api.example.org/exports/e1/download",
            },
        },
    }  # fmt: skip


def test_the_same_end_is_told_once(aws: ServiceSettings) -> None:
    create_webhook(ANNA, NewWebhook(url="https://8.8.8.8/"))
    record = end()
    with_message = len(notices())
    announce("anna", event_of_end(record))  # its message may have been lost: another does no harm
    assert (with_message, len(notices())) == (1, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cutline.service.webhook_sending.post", lambda *_: 200)
        assert [each and each.state for each in map(send, notices())] == ["done", "done"]
    empty()
    announce("anna", event_of_end(record))
    assert notices() == []
    assert len(delivery(aws).tries) == 1


def test_who_hears_of_what(aws: ServiceSettings) -> None:
    wanted = create_webhook(ANNA, NewWebhook(url="https://8.8.8.8/", events=("cutline.export.cancelled",)))[0]
    off = create_webhook(ANNA, NewWebhook(url="https://8.8.8.8/"))[0]
    change_webhook(ANNA, off.webhook_id, WebhookChange(enabled=False))
    create_webhook(Caller(sub="ben"), NewWebhook(url="https://8.8.8.8/"))
    end("SUCCESS", export_id="e1")
    end("CANCELLED", export_id="e2")
    assert [notice.webhook_id for notice in notices()] == [wanted.webhook_id]


def test_what_ended_before_is_not_told(aws: ServiceSettings) -> None:
    record = make_export(owner="anna", status="SUCCESS")
    create_webhook(ANNA, NewWebhook(url="https://8.8.8.8/"))
    before = record.model_copy(update={"updated_at": now() - dt.timedelta(minutes=20)})
    announce("anna", event_of_end(before))
    assert notices() == []


def test_what_fails_is_tried_again_later_and_later(aws: ServiceSettings) -> None:
    with receiving(answers=[500, 302, 404, 503, 204]) as receiver:
        create_webhook(ANNA, NewWebhook(url=receiver.url))
        end()
        notice = notices()[0]
        for _ in range(5):
            at_once(notice)
    assert len({received.content for received in receiver.received}) == 1
    assert {received.headers["webhook-id"] for received in receiver.received} == {"e1-1"}
    kept = delivery(aws)
    assert kept.state == "done" and kept.next_at is None
    assert [each.status for each in kept.tries] == [500, 302, 404, 503, 204]
    assert "leads elsewhere" in str(kept.tries[1].error)
    assert [message["delay"] for message in waiting()] == [0, 5, 60, 300, 900]  # SQS waits no longer at once


def test_a_message_that_comes_too_early_waits_on(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutline.service.webhook_sending.WAITS", (600,))
    with receiving(answers=[500]) as receiver:
        create_webhook(ANNA, NewWebhook(url=receiver.url))
        end()
        notice = notices()[0]
        send(notice)
        empty()
        send(notice)
    assert len(receiver.received) == 1
    [message] = waiting()
    assert 300 < message["delay"] <= 600


def test_after_the_last_try_it_is_given_up_until_replayed(aws: ServiceSettings) -> None:
    with receiving(answers=[500]) as receiver:
        webhook, _ = create_webhook(ANNA, NewWebhook(url=receiver.url))
        end()
        for _ in range(len(WAITS) + 1):
            at_once(notices()[0])
        given_up = delivery(aws)
        assert (given_up.state, len(given_up.tries), given_up.next_at) == ("failed", len(WAITS) + 1, None)
        send(notices()[0])  # a message that comes twice
        assert len(receiver.received) == len(WAITS) + 1
        receiver.answers = [200]
        empty()
        replay(ANNA, webhook.webhook_id, 1)
        send(notices()[0])
    assert delivery(aws).state == "done"
    assert len(delivery(aws).tries) == len(WAITS) + 2
    assert receiver.received[-1].content == receiver.received[0].content


def test_410_switches_it_off(aws: ServiceSettings) -> None:
    with receiving(answers=[410]) as receiver:
        create_webhook(ANNA, NewWebhook(url=receiver.url))
        end(export_id="e1")
        end(export_id="e2")
        for notice in notices():
            send(notice)
    assert len(receiver.received) == 1
    [webhook] = Webhooks(aws.table).of_owner("anna")
    assert not webhook.enabled and webhook.problem is not None and "410" in webhook.problem.message
    assert [delivery(aws, number).state for number in (1, 2)] == ["failed", "failed"]
    assert "switched off" in str(delivery(aws, 2).tries[0].error)


def test_for_a_day_the_secret_before_signs_too(aws: ServiceSettings) -> None:
    with receiving() as receiver:
        webhook, first = create_webhook(ANNA, NewWebhook(url=receiver.url))
        after, second = change_webhook(ANNA, webhook.webhook_id, WebhookChange(rotate_secret=True))
        assert second is not None
        end(export_id="e1")
        send(notices()[0])
        yesterday = now() - dt.timedelta(hours=25)
        Webhooks(aws.table).replace(after, after.model_copy(update={"rotated_at": yesterday}))
        end(export_id="e2")
        send(notices()[1])
    both, alone = receiver.received
    assert verified(both, first) and verified(both, second)
    assert verified(alone, second) and not verified(alone, first)


def test_a_change_that_made_no_new_secret_leaves_the_old_one(aws: ServiceSettings) -> None:
    with receiving() as receiver:
        webhook, secret = create_webhook(ANNA, NewWebhook(url=receiver.url))
        Webhooks(aws.table).replace(webhook, webhook.model_copy(update={"rotated_at": now()}))
        end()
        send(notices()[0])
    assert verified(receiver.received[0], secret)


def test_a_webhook_without_a_secret_is_none(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise TransientError("Secrets Manager does not answer")

    monkeypatch.setattr("cutline.store.signing.SigningSecrets.make", broken)
    with pytest.raises(TransientError):
        create_webhook(ANNA, NewWebhook(url="https://8.8.8.8/"))
    assert Webhooks(aws.table).of_owner("anna") == []


def test_what_is_deleted_is_not_sent(aws: ServiceSettings) -> None:
    with receiving() as receiver:
        webhook, _ = create_webhook(ANNA, NewWebhook(url=receiver.url))
        end()
        [notice] = notices()
        delete_webhook(ANNA, webhook.webhook_id)
        assert hand_over(handler, notice.model_dump()) == []
    assert receiver.received == []


def test_a_secret_that_is_gone_is_told(aws: ServiceSettings) -> None:
    with receiving() as receiver:
        webhook, _ = create_webhook(ANNA, NewWebhook(url=receiver.url))
        client("secretsmanager").delete_secret(SecretId=webhook.secret, ForceDeleteWithoutRecovery=True)
        end()
        send(notices()[0])
    assert receiver.received == []
    assert "rotate_secret" in str(delivery(aws).tries[0].error)


def test_no_private_address_is_asked_whatever_a_name_leads_to_later(
    aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name was public when the webhook was made."""
    with receiving() as receiver:
        create_webhook(ANNA, NewWebhook(url=receiver.url.replace("127.0.0.1", "localhost")))
        end()
        monkeypatch.delenv("CUTLINE_PRIVATE_HOSTS")
        with pytest.MonkeyPatch.context() as patch:  # http:// is for tests alone, and refused before the address is
            patch.setattr(receivers, "_SCHEMES", {False: ("https", "http"), True: ("https", "http")})
            send(notices()[0])
    assert receiver.received == []
    assert "private network" in str(delivery(aws).tries[0].error)


def test_redirects_are_not_followed(aws: ServiceSettings) -> None:
    with receiving() as inner, receiving(answers=[307], headers={"Location": inner.url}) as outer:
        create_webhook(ANNA, NewWebhook(url=outer.url))
        end()
        send(notices()[0])
    assert (len(outer.received), inner.received) == (1, [])


def test_a_receiver_that_only_listens_does_not_hold_us(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "PACE", Pace(seconds=0.2, timeout=0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        create_webhook(ANNA, NewWebhook(url=f"http://127.0.0.1:{silent.getsockname()[1]}/"))
        end()
        send(notices()[0])
    assert "timed out" in str(delivery(aws).tries[0].error)


def test_a_receiver_whose_certificate_is_nobodys_gets_nothing(aws: ServiceSettings) -> None:
    with receiving() as receiver:
        create_webhook(ANNA, NewWebhook(url=receiver.url.replace("http:", "https:")))
        end()
        send(notices()[0])
    assert receiver.received == []
    assert delivery(aws).state == "pending"
    assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED


def test_a_webhook_and_a_mail_do_not_wait_for_each_other(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    create_webhook(ANNA, NewWebhook(url="https://8.8.8.8/"))
    record = make_export(owner="anna", status="SUCCESS", notify=True)
    monkeypatch.setenv("CUTLINE_SENDER", "unverified@cutline.example")
    told: list[str] = []
    monkeypatch.setattr("cutline.store.mail.address_of", lambda *_: "anna@example.org")
    monkeypatch.setattr("cutline.store.mail.send", lambda *_: told.append("mail"))
    monkeypatch.setenv("CUTLINE_NOTIFY_QUEUE", "https://sqs.us-east-1.amazonaws.com/123456789012/gone")
    with pytest.raises(InternalError):
        handler({"export_id": record.export_id, "attempt": 1}, None)
    assert told == ["mail"]
    assert Records(aws.table).get("e1").status == "SUCCESS"


def test_nothing_of_a_secret_is_kept_or_logged(aws: ServiceSettings, capsys: pytest.CaptureFixture[str]) -> None:
    with receiving(answers=[500]) as receiver:
        _, secret = create_webhook(ANNA, NewWebhook(url=receiver.url))
        end()
        hand_over(handler, *(notice.model_dump() for notice in notices()))
    canary = secret.removeprefix("whsec_")
    table = json.dumps(client("dynamodb").scan(TableName=aws.table)["Items"])
    logs = capsys.readouterr()
    assert not [where for where in (table, json.dumps(waiting()), logs.out, logs.err) if canary in where]
