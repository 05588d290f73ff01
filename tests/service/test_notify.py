"""Mail to the owner: who gets it, what it says, and that it comes once."""

from __future__ import annotations

import re
from email import message_from_string
from email.policy import default
from typing import Any

import pytest

from cutline.models.notification import Preferences
from cutline.models.record import DeliveryRecord, ExportRecord, Failure, now
from cutline.notify.advice import advice_for
from cutline.notify.letter import Enclosed, size, written
from cutline.notify.message import composed
from cutline.service.settling import settle
from cutline.service.sharing import opened
from cutline.settings import ServiceSettings
from cutline.store.links import Links
from cutline.store.records import Records
from cutline.store.webhooks import Accounts
from functions.notify.handler import handler
from tests.support.exports import COG, make_cog, make_export, put
from tests.support.mails import SENDER, Sent, make_account, sent
from tests.support.receiver import hand_over

TASK = {"export_id": "e1", "attempt": 1}


def test_success_is_told_with_the_link_and_the_facts(aws: ServiceSettings, anna: str) -> None:
    make_cog(aws, make_export(owner=anna, status="SUCCESS", notify=True, pixels=1_234_567, tiles=3))
    assert handler(TASK, None) == {}
    [mail] = sent()
    assert mail.message["From"] == f"Cutline <{SENDER}>"
    assert mail.message["To"] == "anna@example.org"
    assert mail.subject == "Your export north field is ready"
    [link] = Links(aws.table).of_export("e1")
    for kind in ("plain", "html"):
        [token] = set(re.findall(r"https://api\.example\.org/l/([\w-]+)", mail.body(kind)))
        assert opened(token)[1] == link
        assert "1,234,567" in mail.body(kind)
    assert (mail.files, mail.pictures) == ({}, {})
    assert "cid:" not in mail.body("html")


def test_who_wants_no_link_for_everybody_gets_the_address_that_asks_who_comes(
    aws: ServiceSettings, anna: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cog(aws, make_export("e1", owner=anna, status="SUCCESS", notify=True))
    make_cog(aws, make_export("e2", owner=anna, status="SUCCESS", notify=True))
    monkeypatch.setattr("cutline.service.sharing.MOST", 0)  # there are too many links already
    handler(TASK, None)
    Accounts(aws.table).keep_preferences(anna, Preferences(link=False))
    handler({**TASK, "export_id": "e2"}, None)
    for export_id, mail in zip(("e1", "e2"), sent(), strict=True):
        for kind in ("plain", "html"):
            assert f"https://api.example.org/exports/{export_id}/download" in mail.body(kind)
            assert "/l/" not in mail.body(kind)


def test_the_picture_is_inside_the_mail(aws: ServiceSettings, anna: str) -> None:
    record = make_cog(aws, make_export(owner=anna, status="SUCCESS", notify=True))
    assert record.result is not None
    href = record.result.cog_href.replace(".tif", ".png")
    Records(aws.table).change(record, result=record.result.model_copy(update={"quicklook_href": href}))
    put(aws.exports_bucket, href.split("/", 3)[3], b"\x89PNG")
    handler(TASK, None)
    [mail] = sent()
    assert mail.pictures == {"<quicklook>": b"\x89PNG"}
    assert 'src="cid:quicklook"' in mail.body("html") and 'alt="Quick-look of north field"' in mail.body("html")


def test_the_file_comes_along_where_it_is_small_and_wanted(
    aws: ServiceSettings, anna: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Accounts(aws.table).keep_preferences(anna, Preferences(attach=True))
    make_cog(aws, make_export("e1", owner=anna, status="SUCCESS", notify=True))
    make_cog(aws, make_export("e2", owner=anna, status="SUCCESS", notify=True))
    handler(TASK, None)
    monkeypatch.setattr("cutline.service.notifying.SMALL", len(COG))
    handler({**TASK, "export_id": "e2"}, None)
    with_file, without = sent()
    assert with_file.files == {"north field.tif": COG}
    assert "attached to this mail" in with_file.body("plain") and "attached to this mail" in with_file.body("html")
    assert without.files == {}
    assert "attached" not in without.body("plain")


def test_a_picture_or_file_that_is_gone_is_done_without(aws: ServiceSettings, anna: str) -> None:
    Accounts(aws.table).keep_preferences(anna, Preferences(attach=True))
    record = make_cog(aws, make_export(owner=anna, status="SUCCESS", notify=True))
    assert record.result is not None
    for href in (gone := f"s3://{aws.exports_bucket}/gone.png",):
        update = {"quicklook_href": href, "cog_href": gone.replace("png", "tif")}
        Records(aws.table).change(record, result=record.result.model_copy(update=update))
    handler(TASK, None)
    [mail] = sent()
    assert (mail.files, mail.pictures) == ({}, {})


def test_an_error_is_told_with_its_reason_and_what_to_do(aws: ServiceSettings, anna: str) -> None:
    record = make_export(owner=anna, status="RENDERING", notify=True)
    why = Failure(code="source-unavailable", message="tile (2, 3): scene S2A did not answer")
    Records(aws.table).move(record, "ERROR", error=why)
    handler(TASK, None)
    [mail] = sent()
    assert mail.subject == "Your export north field failed"
    for kind in ("plain", "html"):
        body = mail.body(kind)
        assert "scene S2A did not answer" in body
        assert "Try again later" in body
        assert "https://api.example.org/exports/e1" in body and "/download" not in body


def test_a_file_that_was_made_can_be_had_though_a_delivery_failed(aws: ServiceSettings, anna: str) -> None:
    records = Records(aws.table)
    record = make_cog(aws, make_export(owner=anna, status="DELIVERING", notify=True))
    full = Failure(code="quota-exceeded", message="the account is full")
    later = {"execution": "e1-1-later", "error": Failure(code="x", message="asked for later")}
    for number, more in enumerate(({"state": "failed", "error": full}, {"state": "failed", **later})):
        records.put_delivery("e1", DeliveryRecord(delivery_id=f"d{number}", kind="dropbox", attempt=1, **more))
    records.move(record, "ERROR", error=Failure(code="delivery-rejected", message="not every delivery arrived"))
    handler(TASK, None)
    [mail] = sent()
    for kind in ("plain", "html"):
        assert "the account is full. Make room at the destination" in mail.body(kind)
        assert "asked for later" not in mail.body(kind)
        assert "https://api.example.org/l/e1" in mail.body(kind)


@pytest.mark.parametrize("settled", [False, True])
def test_of_an_export_that_was_refused_before_it_began_no_file_is_promised(
    aws: ServiceSettings, anna: str, settled: bool
) -> None:
    full = Failure(code="quota-exceeded", message="20 MB are missing")
    record = Records(aws.table).move(make_export(owner=anna, notify=True), "ERROR", error=full)
    if settled:
        settle(record)
    handler(TASK, None)
    [mail] = sent()
    for kind in ("plain", "html"):
        assert "Make room at the destination, then retry." in mail.body(kind)
        assert "the file is made" not in mail.body(kind).lower()


def test_a_success_says_where_the_file_was_brought(aws: ServiceSettings, anna: str) -> None:
    make_cog(aws, make_export(owner=anna, status="SUCCESS", notify=True))
    there = DeliveryRecord(delivery_id="d1", kind="s3", state="done", attempt=1, uri="s3://annas/north field.tif")
    Records(aws.table).put_delivery("e1", there)
    handler(TASK, None)
    [mail] = sent()
    assert "Delivered to: s3://annas/north field.tif" in mail.body("plain")


def test_who_wants_what(aws: ServiceSettings, anna: str) -> None:
    wishes: list[tuple[Any, bool, str, bool]] = [
        # wish, whether the request asks, how it ended, whether a mail comes
        ("asked", False, "SUCCESS", False),
        ("asked", True, "SUCCESS", True),
        ("always", False, "SUCCESS", True),
        ("failures", True, "SUCCESS", False),
        ("failures", False, "ERROR", True),
        ("never", True, "ERROR", False),
    ]
    for number, (wish, asked, status, comes) in enumerate(wishes):
        Accounts(aws.table).keep_preferences(anna, Preferences(email=wish))
        make_export(f"e{number}", owner=anna, status=status, notify=asked)
        before = len(sent())
        handler({**TASK, "export_id": f"e{number}"}, None)
        assert len(sent()) - before == comes, (wish, asked, status)


def test_an_end_by_the_queue_is_told_as_well(aws: ServiceSettings, anna: str) -> None:
    make_export(owner=anna, status="ERROR", notify=True)
    message = {"kind": "end", **TASK}
    assert hand_over(handler, message, message, {**message, "export_id": "deleted"}) == []
    assert len(sent()) == 1


def test_mail_that_is_refused_for_good_does_not_come_back(
    aws: ServiceSettings, anna: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_export(owner=anna, status="ERROR", notify=True)
    monkeypatch.setenv("CUTLINE_SENDER", "unverified@cutline.example")
    assert hand_over(handler, {"kind": "end", **TASK}) == []


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


def test_the_link_of_a_mail_has_limits_and_none_is_left_of_a_mail_that_was_not_sent(
    aws: ServiceSettings, anna: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cog(aws, make_export(owner=anna, status="SUCCESS", notify=True))
    monkeypatch.setenv("CUTLINE_SENDER", "unverified@cutline.example")
    with pytest.raises(Exception, match="the mail was not sent"):
        handler(TASK, None)
    assert Links(aws.table).of_export("e1") == []
    monkeypatch.setenv("CUTLINE_SENDER", SENDER)
    handler(TASK, None)
    [link] = Links(aws.table).of_export("e1")
    assert (link.max_downloads, link.max_bytes) == (20, 20 * len(COG))


def test_nothing_that_people_write_becomes_a_header_or_html(aws: ServiceSettings) -> None:
    name = "x\r\nBcc: everyone@example.org\u2028\0<script>"
    why = Failure(code="invalid-scene", message="<b>bold</b>\nSubject: other")
    warnings = ("<i>so\r\nso</i>",)
    for status, error in (("ERROR", why), ("SUCCESS", None)):
        record = make_export(status, status=status, error=error, warnings=warnings).model_copy(update={"name": name})
        letter = written(record, Enclosed(url="https://example.org/?a&b", download="https://example.org/<>"))
        assert letter.subject.startswith("Your export x Bcc: everyone@example.org <script> ")
        assert "\nBcc" not in letter.text and "\nSubject" not in letter.text
        assert not [tag for tag in ("<script>", "<b>", "<i>", "<>") if tag in letter.html]
        message = message_from_string(composed(letter, sender=SENDER, to="a@example.org").decode(), policy=default)
        assert message.keys() == ["Subject", "From", "To", "Auto-Submitted", "MIME-Version", "Content-Type"]


def test_lines_are_short_and_ascii() -> None:
    """As RFC 5321 wants them, whatever a name holds."""
    letter = written(
        ExportRecord(
            export_id="e1", attempt=2, owner="anna", name="Größe " * 16, status="SUCCESS", created_at=now(),
            updated_at=now(), request_href="s3://b/k", warnings=("ü" * 3000,) * 12,
        ),
        Enclosed(url="https://example.org/e1", download="https://example.org/l/1", until=now(), picture=True),
    )  # fmt: skip
    raw = composed(letter, sender=SENDER, to="a@example.org", picture=b"\x89PNG", file=("Größe.tif", bytes(1000)))
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    message = message_from_string(raw.decode(), policy=default)
    assert message["Subject"] == letter.subject
    assert Sent(message).files == {"Größe.tif": bytes(1000)}
    assert "and 2 more" in Sent(message).body("plain")
    assert "for whoever has it" in Sent(message).body("plain").replace("\n", " ")


def test_sizes_in_the_unit_that_suits() -> None:
    assert [size(n) for n in (0, 999, 1000, 4_940_000, 20 * 10**9)] == [
        "0 bytes",
        "999 bytes",
        "1 kB",
        "4.94 MB",
        "20 GB",
    ]


@pytest.mark.parametrize(
    ("code", "words"),
    [("invalid-scene", "Change the request"), ("too-large", "Change the request"), ("timed-out", "Retry goes on")],
)
def test_advice(code: str, words: str) -> None:
    assert words in advice_for(code, made=True)
