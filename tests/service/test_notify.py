"""Mail to the owner: who gets it, what it says, and that it comes once."""

from __future__ import annotations

from typing import Any

import pytest
from moto.ses.models import ses_backends

from cutline.models.record import Failure
from cutline.service.notifying import advice_for, written
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.records import Records
from functions.notify.handler import handler
from tests.support.aws import REGION
from tests.support.exports import make_cog, make_export

SENDER = "exports@cutline.example"
TASK = {"export_id": "e1", "attempt": 1}


@pytest.fixture
def anna(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> str:
    """The sub of an account with a verified address, in the service's pool."""
    client("sesv2").create_email_identity(EmailIdentity=SENDER)
    cognito = client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="users")["UserPool"]["Id"]
    monkeypatch.setenv("CUTLINE_USER_POOL", pool)
    monkeypatch.setenv("CUTLINE_SENDER", SENDER)
    make_account(pool, "ben", "ben@example.org")
    return make_account(pool, "anna", "anna@example.org")


def make_account(pool: str, name: str, email: str, verified: str = "true") -> str:
    attributes = [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": verified}]
    made = client("cognito-idp").admin_create_user(UserPoolId=pool, Username=name, UserAttributes=attributes)
    return str(next(each["Value"] for each in made["User"]["Attributes"] if each["Name"] == "sub"))


def sent() -> list[Any]:
    return list(ses_backends["123456789012"][REGION].sent_messages)


def test_success_is_told_with_the_link_and_the_facts(aws: ServiceSettings, anna: str) -> None:
    make_cog(aws, make_export(owner=anna, status="SUCCESS", notify=True, pixels=1_234_567, tiles=3))
    assert handler(TASK, None) == {}
    [message] = sent()
    assert message.source == SENDER
    assert message.destinations["ToAddresses"] == ["anna@example.org"]
    assert message.subject == "Your export north field is ready"
    assert "https://api.example.org/exports/e1/download" in message.body
    assert "1,234,567" in message.body


def test_an_error_is_told_with_its_reason_and_what_to_do(aws: ServiceSettings, anna: str) -> None:
    record = make_export(owner=anna, status="RENDERING", notify=True)
    why = Failure(code="source-unavailable", message="tile (2, 3): scene S2A did not answer")
    Records(aws.table).move(record, "ERROR", error=why)
    handler(TASK, None)
    [message] = sent()
    assert message.subject == "Your export north field failed"
    assert "scene S2A did not answer" in message.body
    assert "Try again later" in message.body
    assert "https://api.example.org/exports/e1" in message.body and "/download" not in message.body


def test_twice_sends_once(aws: ServiceSettings, anna: str) -> None:
    make_export(owner=anna, status="SUCCESS", notify=True)
    handler(TASK, None)
    handler(TASK, None)
    assert len(sent()) == 1


def test_the_next_attempt_is_told_again(aws: ServiceSettings, anna: str) -> None:
    records = Records(aws.table)
    record = make_export(owner=anna, status="ERROR", notify=True)
    handler(TASK, None)
    records.move(records.begin_again(record), "SUCCESS")
    handler(TASK, None)
    assert len(sent()) == 1, "a late call of the first attempt"
    handler({**TASK, "attempt": 2}, None)
    assert [each.subject.split()[-1] for each in sent()] == ["failed", "ready"]


@pytest.mark.parametrize(
    "record", [{"notify": False, "status": "SUCCESS"}, {"status": "RENDERING"}, {"status": "CANCELLED"}]
)
def test_who_does_not_want_it_or_knows_hears_nothing(aws: ServiceSettings, anna: str, record: dict[str, Any]) -> None:
    make_export(owner=anna, **{"notify": True, **record})
    handler(TASK, None)
    assert sent() == []


@pytest.mark.parametrize("owner", ["a-machine", 'x" or username = "anna'])
def test_an_owner_without_an_account_gets_nothing(aws: ServiceSettings, anna: str, owner: str) -> None:
    make_export(owner=owner, status="SUCCESS", notify=True)
    handler(TASK, None)
    assert sent() == []


def test_an_address_that_is_not_verified_gets_nothing(
    aws: ServiceSettings, anna: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cutline.settings import service

    carl = make_account(service().user_pool, "carl", "someone.else@example.org", verified="false")
    make_export(owner=carl, status="SUCCESS", notify=True)
    handler(TASK, None)
    assert sent() == []


def test_what_ses_refuses_may_be_sent_later(aws: ServiceSettings, anna: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_export(owner=anna, status="SUCCESS", notify=True)
    monkeypatch.setenv("CUTLINE_SENDER", "unverified@cutline.example")
    with pytest.raises(Exception, match="the mail was not sent"):
        handler(TASK, None)
    monkeypatch.setenv("CUTLINE_SENDER", SENDER)
    handler(TASK, None)
    assert len(sent()) == 1


def test_nothing_that_people_write_becomes_a_header_or_html(aws: ServiceSettings) -> None:
    name = "x\r\nBcc: everyone@example.org\u2028\0<script>"
    why = Failure(code="invalid-scene", message="<b>bold</b>\nSubject: other")
    record = make_export(status="ERROR", error=why).model_copy(update={"name": name})
    subject, text, html = written(record)
    assert subject == "Your export x Bcc: everyone@example.org <script> failed"
    assert "\nBcc" not in text and "\nSubject" not in text
    assert "<script>" not in html and "<b>" not in html


@pytest.mark.parametrize(
    ("code", "words"),
    [("invalid-scene", "Change the request"), ("too-large", "Change the request"), ("timed-out", "Retry goes on")],
)
def test_advice(code: str, words: str) -> None:
    assert words in advice_for(code)
