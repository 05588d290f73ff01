"""Access logs are read, and what they tell takes the place of what was set aside."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cutline.errors import NotFound, RateLimited, TransientError
from cutline.models.record import now
from cutline.models.traffic import LinkRecord, Sent, Ticket, UsageRow
from cutline.service.metering import sent_of, summed
from cutline.service.sharing import share
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.faults import told as told_of_aws
from cutline.store.links import Links
from cutline.store.metering import HOLD, Traffic
from functions.meter.handler import handler
from tests.support.exports import make_cog, make_export, put
from tests.support.inbox import deliver

LOGS = "cutline-test-logs"
AT = dt.datetime(2026, 11, 21, 9, 45, 12, tzinfo=dt.UTC)
TODAY = AT.date()


def line(
    ticket: object,
    sent: object = 1000,
    *,
    bucket: str = "cutline-test-exports",
    operation: str = "REST.GET.OBJECT",
    status: int = 200,
    day: str = "21/Nov/2026:09:50:00 +0000",
    key: str = "anna/e1/north%2520field.tif",
) -> str:
    """As S3's documentation has it."""
    return (
        f"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be {bucket} [{day}] 192.0.2.3 "
        "arn:aws:sts::123456789012:assumed-role/Cutline-submit/Cutline-submit 3E57427F3EXAMPLE "
        f'{operation} {key} "GET /anna/e1/north%20field.tif?response-content-disposition=attachment%3B%20filename%3D'
        f"%22x.tif%22&x-cutline-ticket={ticket}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=900 "
        f'HTTP/1.1" {status} - {sent} 4406583 41754 28 "-" "curl/8 \\"x\\"" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNk= SigV4 '
        "ECDHE-RSA-AES128-GCM-SHA256 QueryString cutline.s3.eu-central-1.amazonaws.com TLSv1.3 - -"
    )


@pytest.fixture
def traffic(aws: ServiceSettings) -> Traffic:
    return Traffic(aws.table, bytes_a_month=10_000)


def ticket(link: LinkRecord | None = None, at: dt.datetime = AT) -> Ticket:
    return Ticket.new(at, link.link_id if link else None)


def told(*lines: str, name: str = "results/2026-11-21-09-55-00-0123456789ABCDEF") -> list[str]:
    """Let S3 write a log, and give the function the message of that; returns what it wants again."""
    if not any(each["Name"] == LOGS for each in client("s3").list_buckets()["Buckets"]):
        client("s3").create_bucket(Bucket=LOGS)
    put(LOGS, name, "\n".join(lines).encode())
    return deliver(handler, {"detail": {"bucket": {"name": LOGS}, "object": {"key": name}}})


def sums(traffic: Traffic, at: dt.datetime = AT) -> tuple[int, int]:
    """Bytes that left, and bytes that are set aside."""
    account = traffic.account("anna", at)
    return account.used, account.total - account.used


# Lines -------------------------------------------------------------------------------------------------------------


def test_a_line_of_a_download_is_read() -> None:
    given = ticket()
    [sent] = sent_of([line(given)], "cutline-test-exports")
    assert sent == Sent(owner="anna", export_id="e1", ticket=given, day=TODAY, nbytes=1000, requests=1)


@pytest.mark.parametrize(
    "other",
    [
        {"bucket": "cutline-test-work"},
        {"operation": "REST.HEAD.OBJECT"},
        {"operation": "REST.COPY.OBJECT_GET"},
        {"status": 403},
        {"sent": "-"},
    ],
    ids=str,
)
def test_other_lines_count_for_nothing(other: dict[str, Any]) -> None:
    assert not list(sent_of([line(ticket(), **other)], "cutline-test-exports"))


@pytest.mark.parametrize(
    "text",
    ["", "x", "20261321T094512.8f0c63a1b2d4", "20261121T094512.8f0c63a1b2d4.short", "20261121T094512.8F0C63A1B2D4"],
)
def test_requests_without_a_ticket_are_our_own(text: str) -> None:
    assert not list(sent_of([line(text), "no line at all", ""], "cutline-test-exports"))


def test_a_ticket_is_read_as_it_was_written() -> None:
    for link_id in (None, "a" * 24):
        given = Ticket.new(AT, link_id)
        assert Ticket.read(str(given)) == given


def test_days_are_utc_and_each_ticket_is_one_sum() -> None:
    one, other = ticket(), ticket()
    late = "22/Nov/2026:01:30:00 +0200"
    next_day = "22/Nov/2026:00:00:00 +0000"
    lines = [line(one, 1), line(one, 2, day=late), line(one, 4, day=next_day), line(other, 8, status=206)]
    found = {(str(each.ticket), each.day.day): each for each in summed(sent_of(lines, "cutline-test-exports"))}
    assert {key: each.nbytes for key, each in found.items()} == {
        (str(one), 21): 3,
        (str(one), 22): 4,
        (str(other), 21): 8,
    }
    assert found[str(one), 21].requests == 2


# Counting ----------------------------------------------------------------------------------------------------------


def test_what_left_takes_the_place_of_what_was_set_aside(traffic: Traffic) -> None:
    given = ticket()
    traffic.reserve(given, "anna", "e1", 4000)
    assert sums(traffic) == (0, 4000)
    assert told(line(given, 1500), name="results/1") == []
    assert sums(traffic) == (1500, 2500)
    assert told(line(given, 3000, status=206), name="results/2") == []  # more than was asked for
    assert sums(traffic) == (4500, 0)
    assert told(line(given, 500), name="results/3") == []
    assert sums(traffic) == (5000, 0)
    assert list(traffic.days("anna", TODAY, TODAY)) == [UsageRow(day=TODAY, export_id="e1", nbytes=5000, requests=3)]


def test_a_log_that_is_told_of_twice_counts_once(traffic: Traffic) -> None:
    given = ticket()
    traffic.reserve(given, "anna", "e1", 4000)
    lines = [line(given, 1000), line(given, 500, day="22/Nov/2026:00:00:01 +0000")]
    for _ in range(3):
        assert told(*lines) == []
    assert sums(traffic) == (1500, 2500)
    assert [row.nbytes for row in traffic.days("anna", TODAY, TODAY + dt.timedelta(days=1))] == [1000, 500]


def test_what_no_log_tells_of_is_given_back_in_the_end(traffic: Traffic) -> None:
    given = ticket()
    traffic.reserve(given, "anna", "e1", 9000)
    with pytest.raises(RateLimited, match="1,000 that are left"):
        traffic.reserve(ticket(at=AT + HOLD), "anna", "e1", 2000)
    later = AT + HOLD + dt.timedelta(seconds=1)
    traffic.reserve(ticket(at=later), "anna", "e1", 2000)
    assert sums(traffic, later) == (0, 2000)
    told(line(given, 300))  # late, but it left
    assert sums(traffic, later) == (300, 2000)


def test_bytes_count_in_the_month_of_their_redirect(traffic: Traffic) -> None:
    last = dt.datetime(2026, 10, 31, 23, 59, tzinfo=dt.UTC)
    given = ticket(at=last)
    traffic.reserve(given, "anna", "e1", 4000)
    told(line(given, 4000, day="01/Nov/2026:00:01:00 +0000"))
    assert sums(traffic, last) == (4000, 0)
    assert sums(traffic) == (0, 0)


def test_when_there_is_room_again(traffic: Traffic) -> None:
    at = now()
    traffic.reserve(ticket(at=at), "anna", "e1", 9000)
    with pytest.raises(RateLimited) as waits:
        traffic.reserve(ticket(at=at), "anna", "e1", 2000)
    assert 0 < waits.value.details["retry_after"] <= HOLD.total_seconds()
    traffic.reserve(ticket(at=at), "anna", "e1", 1000)  # fills it to the last byte
    traffic.reserve(ticket(at=at), "ben", "e2", 9000)  # another's month


def test_a_month_that_is_used_up_ends(traffic: Traffic) -> None:
    at = now()
    given = ticket(at=at)
    traffic.reserve(given, "anna", "e1", 9000)
    told(line(given, 9000))
    with pytest.raises(RateLimited) as waits:
        traffic.reserve(ticket(at=at), "anna", "e1", 2000)
    following = (at.replace(day=1) + dt.timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert abs(waits.value.details["retry_after"] - (following - at).total_seconds()) < 60


def test_a_link_is_settled_with_its_owners_month(traffic: Traffic, aws: ServiceSettings) -> None:
    record = make_cog(aws, make_export("e1"))
    link, _ = share(record, by="anna", max_bytes=5000, max_downloads=5)
    given = ticket(link)
    traffic.reserve(given, "anna", "e1", 4000, link)
    told(line(given, 1000))
    found = Links(aws.table).find("e1", link.link_id)
    assert found is not None
    assert (found.downloads, found.sent, found.total) == (1, 1000, 4000)
    with pytest.raises(RateLimited):
        traffic.reserve(ticket(link), "anna", "e1", 2000, link)
    later = AT + HOLD + dt.timedelta(hours=1)
    traffic.reserve(ticket(link, at=later), "anna", "e1", 4000, link)  # what was not taken came back
    with pytest.raises(NotFound):
        traffic.reserve(ticket(link, at=later), "anna", "e1", 4001, link)  # will never fit
    assert sums(traffic, later) == (1000, 4000)


def test_a_link_that_was_taken_back_is_counted_all_the_same(traffic: Traffic, aws: ServiceSettings) -> None:
    record = make_cog(aws, make_export("e1"))
    link, _ = share(record, by="anna")
    given = ticket(link)
    traffic.reserve(given, "anna", "e1", 4000, link)
    Links(aws.table).delete("e1", link.link_id)
    told(line(given, 1000))
    assert Links(aws.table).of_export("e1") == []
    assert sums(traffic) == (1000, 3000)
    assert sums(traffic, AT + HOLD + dt.timedelta(hours=1)) == (1000, 0)
    with pytest.raises(NotFound):
        traffic.reserve(ticket(link), "anna", "e1", 10, link)


def busy(traffic: Traffic, monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """So many transactions meet others at the same items; returns a list that each try adds to."""
    through, tries = traffic._db.transact_write_items, []
    conflict = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [{"Code": "TransactionConflict"}],
    }

    def meeting_others(**request: Any) -> Any:
        tries.append(1)
        if len(tries) <= times:
            raise traffic._db.exceptions.TransactionCanceledException(conflict, "TransactWriteItems")
        return through(**request)

    monkeypatch.setattr("cutline.store.metering.time.sleep", lambda _: None)
    monkeypatch.setattr(traffic._db, "transact_write_items", meeting_others)
    return tries


def test_who_meets_others_tries_again(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = busy(traffic, monkeypatch, 2)
    traffic.reserve(ticket(), "anna", "e1", 4000)
    assert (len(tries), sums(traffic)) == (3, (0, 4000))


def test_who_meets_others_all_the_time_gives_up(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = busy(traffic, monkeypatch, 100)
    with pytest.raises(TransientError):
        traffic.reserve(ticket(), "anna", "e1", 4000)
    assert len(tries) < 10


@pytest.mark.parametrize("why", ["ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_that_is_throttled_may_be_tried_again(why: str) -> None:
    cancelled = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [{"Code": "None"}, {"Code": why}],
    }
    error = ClientError(cancelled, "TransactWriteItems")
    assert isinstance(told_of_aws(error), TransientError)


def test_a_ticket_that_changes_meanwhile_is_looked_at_again(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ticket()
    traffic.reserve(given, "anna", "e1", 4000)
    through, stale = Traffic._held, iter([9999, 1])
    monkeypatch.setattr(Traffic, "_held", lambda self, *words: next(stale, None) or through(self, *words))
    assert told(line(given, 1000)) == []
    assert sums(traffic) == (1000, 3000)


@pytest.mark.usefixtures("whole_calls")
def test_many_at_once_get_no_more_than_there_is(traffic: Traffic) -> None:
    given: list[Ticket] = []

    def ask() -> None:
        mine = ticket()
        with contextlib.suppress(RateLimited):
            traffic.reserve(mine, "anna", "e1", 3000)
            given.append(mine)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(given), sums(traffic)) == (3, (0, 9000))


def test_a_log_that_is_gone_is_passed_over(aws: ServiceSettings) -> None:
    client("s3").create_bucket(Bucket=LOGS)
    assert deliver(handler, {"detail": {"bucket": {"name": LOGS}, "object": {"key": "results/none"}}}) == []


def test_one_bad_message_does_not_bring_the_others_back(traffic: Traffic) -> None:
    given = ticket()
    told(line(given, 10))
    good = {"detail": {"bucket": {"name": LOGS}, "object": {"key": "results/2026-11-21-09-55-00-0123456789ABCDEF"}}}
    assert deliver(handler, {"detail": {}}, good) == ["0"]
