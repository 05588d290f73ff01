"""A delivery by an execution of its own, as its export's owner hears of its end: by mail and by webhooks, once."""

from __future__ import annotations

from email import message_from_string
from email.policy import default
from typing import Any

import pytest

from cutline.models.api_webhooks import NewWebhook
from cutline.models.notification import Preferences
from cutline.models.record import DeliveryRecord, Failure, now
from cutline.notify.advice import delivery_advice_for
from cutline.notify.letter import Enclosed, written_of_delivery
from cutline.notify.message import composed
from cutline.service.callers import Caller
from cutline.service.webhooks import create_webhook
from cutline.settings import ServiceSettings, service
from cutline.store.deliveries import Deliveries
from cutline.store.links import Links
from cutline.store.records import Records
from cutline.store.webhooks import Accounts, Webhooks
from functions.notify.handler import handler
from tests.support.exports import make_cog, make_export
from tests.support.mails import SENDER, sent
from tests.support.receiver import hand_over, notices

EXECUTION = "e1-1-d1-0a1b2c"
NOTICE = {"kind": "delivery", "export_id": "e1", "delivery_id": "d1", "execution": EXECUTION}
REVOKED = Failure(code="bad-credentials", message="the token was revoked")
DONE = {"state": "done", "uri": "sftp://files.example.org/maps/north field.tif", "nbytes": 4_940_000}
FAILED = {"state": "failed", "error": REVOKED}


def ended(owner: str, delivery: dict[str, Any] = DONE, **more: Any) -> DeliveryRecord:
    """A delivery by EXECUTION, of an export that ended before."""
    make_cog(service(), make_export(owner=owner, **{"status": "SUCCESS", "notify": True, **more}))
    return put(**delivery)


def put(**delivery: Any) -> DeliveryRecord:
    given = {"delivery_id": "d1", "kind": "sftp", "attempt": 1, "execution": EXECUTION, "at": now(), **delivery}
    record = DeliveryRecord(**given)
    Records(service().table).put_delivery("e1", record)
    return record


def test_where_it_was_brought(aws: ServiceSettings, anna: str) -> None:
    Accounts(aws.table).keep_preferences(anna, Preferences(attach=True))
    ended(anna)
    assert hand_over(handler, NOTICE) == []
    [mail] = sent()
    assert mail.message["To"] == "anna@example.org"
    assert mail.subject == "Your export north field was delivered to SFTP"
    for kind in ("plain", "html"):
        for words in ("sftp://files.example.org/maps/north field.tif", "https://api.example.org/exports/e1", "4.94 MB"):
            assert words in mail.body(kind)
    assert (mail.files, mail.pictures, Links(aws.table).of_export("e1")) == ({}, {}, [])


def test_why_it_was_not_brought(aws: ServiceSettings, anna: str) -> None:
    ended(anna, FAILED)
    hand_over(handler, NOTICE)
    [mail] = sent()
    assert mail.subject == "Your export north field was not delivered to SFTP"
    for kind in ("plain", "html"):
        for words in ("the token was revoked", "Renew the destination's access, then ask for the delivery again."):
            assert words in mail.body(kind).replace("&#39;", "'")
        assert "https://api.example.org/exports/e1/download" in mail.body(kind)
    assert Links(aws.table).of_export("e1") == []


@pytest.mark.parametrize(
    ("code", "words"),
    [("quota-exceeded", "Make room"), ("transient-error", "goes on from where it came to"),
     ("storage-error", "Ask for the delivery again")],
)  # fmt: skip
def test_what_to_do_is_never_to_retry_the_export(code: str, words: str) -> None:
    assert words in delivery_advice_for(code)
    assert "retry" not in delivery_advice_for(code).lower()


@pytest.mark.parametrize(
    ("wish", "asked", "delivery", "comes"),
    [("asked", False, DONE, False), ("asked", True, DONE, True), ("asked", True, FAILED, True),
     ("always", False, DONE, True), ("always", False, FAILED, True),
     ("failures", True, DONE, False), ("failures", False, FAILED, True),
     ("never", True, FAILED, False)],
)  # fmt: skip
def test_who_wants_what(anna: str, wish: Any, asked: bool, delivery: dict[str, Any], comes: bool) -> None:
    Accounts(service().table).keep_preferences(anna, Preferences(email=wish))
    ended(anna, delivery, notify=asked)
    hand_over(handler, NOTICE)
    assert len(sent()) == comes


def test_twice_is_once(aws: ServiceSettings, anna: str) -> None:
    webhook, _ = create_webhook(Caller(sub=anna), NewWebhook(url="https://8.8.8.8/"))
    ended(anna)
    assert hand_over(handler, NOTICE, NOTICE) == []
    assert len(sent()) == 1
    [kept] = Webhooks(aws.table).deliveries(webhook.webhook_id, limit=9, before=None)
    assert (kept.event_id, kept.type) == (EXECUTION, "cutline.delivery.succeeded")
    assert {(notice.webhook_id, notice.number) for notice in notices()} == {(webhook.webhook_id, 1)}


def test_brought_once_more_it_is_told_once_more(aws: ServiceSettings, anna: str) -> None:
    ended(anna, FAILED)
    hand_over(handler, NOTICE)
    told = Deliveries(aws.table, "e1").get("d1")
    following = {**NOTICE, "execution": "e1-1-d1-3d4e5f"}
    put(**DONE, execution=following["execution"], notified=told.notified)
    hand_over(handler, NOTICE, following)
    assert ["not" in mail.subject.split() for mail in sent()] == [True, False]


def test_who_begins_it_again_is_not_held_up_by_the_word_of_its_end(aws: ServiceSettings, anna: str) -> None:
    ended(anna)
    deliveries = Deliveries(aws.table, "e1")
    before = deliveries.get("d1")
    hand_over(handler, NOTICE)
    assert len(sent()) == 1
    assert deliveries.save(before, state="pending").state == "pending"


@pytest.mark.parametrize(
    ("export", "delivery"),
    [({"status": "CANCELLED"}, DONE), ({"deleted_at": now()}, DONE), ({}, {"state": "running"}),
     ({}, {**DONE, "execution": "e1-1-d1-3d4e5f"})],
    ids=["cancelled", "being deleted", "goes on", "begun again"],
)  # fmt: skip
def test_what_nobody_is_told_of(anna: str, export: dict[str, Any], delivery: dict[str, Any]) -> None:
    create_webhook(Caller(sub=anna), NewWebhook(url="https://8.8.8.8/"))
    ended(anna, delivery, **export)
    assert hand_over(handler, NOTICE) == []
    assert (sent(), notices()) == ([], [])


def test_what_is_deleted_meanwhile_fails_nothing(aws: ServiceSettings, anna: str) -> None:
    ended(anna)
    Records(aws.table).delete("e1")
    assert hand_over(handler, NOTICE) == []
    assert sent() == []


def test_what_ses_refuses_may_be_sent_later(anna: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ended(anna)
    monkeypatch.setenv("CUTLINE_SENDER", "unverified@cutline.example")
    assert hand_over(handler, NOTICE) == []
    monkeypatch.setenv("CUTLINE_SENDER", SENDER)
    hand_over(handler, NOTICE)
    assert len(sent()) == 1


def test_webhooks_that_cannot_be_told_keep_no_mail_back(anna: str, monkeypatch: pytest.MonkeyPatch) -> None:
    create_webhook(Caller(sub=anna), NewWebhook(url="https://8.8.8.8/"))
    ended(anna)
    with monkeypatch.context() as patched:
        patched.setenv("CUTLINE_NOTIFY_QUEUE", "https://sqs.us-east-1.amazonaws.com/123456789012/gone")
        assert hand_over(handler, NOTICE) == ["0"], "it comes back"
    assert len(sent()) == 1
    assert hand_over(handler, NOTICE) == []
    assert (len(sent()), len(notices())) == (1, 1)


def test_a_refused_mail_does_not_hide_that_webhooks_were_not_told(anna: str, monkeypatch: pytest.MonkeyPatch) -> None:
    create_webhook(Caller(sub=anna), NewWebhook(url="https://8.8.8.8/"))
    ended(anna)
    monkeypatch.setenv("CUTLINE_SENDER", "unverified@cutline.example")
    with monkeypatch.context() as patched:
        patched.setenv("CUTLINE_NOTIFY_QUEUE", "https://sqs.us-east-1.amazonaws.com/123456789012/gone")
        assert hand_over(handler, NOTICE) == ["0"], "it comes back"
    assert hand_over(handler, NOTICE) == []
    assert (len(sent()), len(notices())) == (0, 1)


def test_nothing_that_people_write_becomes_a_header_or_html(aws: ServiceSettings) -> None:
    record = make_export(status="SUCCESS").model_copy(update={"name": "x\r\nBcc: everyone@example.org\u2028<script>"})
    hostile = {
        "done": {"uri": "s3://b/<img src=x>\r\nBcc: a.tif", "checksum": "<b>\n"},
        "failed": {"error": Failure(code="delivery-rejected", message="<i>no</i>\nSubject: other")},
    }
    enclosed = Enclosed(url="https://example.org/?a&b", download="https://example.org/<>")
    for state, more in hostile.items():
        letter = written_of_delivery(record, put(**{"state": state, **more}), enclosed)
        assert letter.subject.startswith("Your export x Bcc: everyone@example.org <script> was ")
        assert "\nBcc" not in letter.text and "\nSubject" not in letter.text
        assert not [tag for tag in ("<script>", "<img", "<b>", "<i>", "<>") if tag in letter.html]
        message = message_from_string(composed(letter, sender=SENDER, to="a@example.org").decode(), policy=default)
        assert message.keys() == ["Subject", "From", "To", "Auto-Submitted", "MIME-Version", "Content-Type"]
