"""What was downloaded, as JSON and as a table."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest

from cutline.models.record import now
from cutline.models.traffic import Sent, Ticket
from cutline.settings import ServiceSettings
from cutline.store.metering import Traffic
from tests.support.api import ADMIN, ANNA, BEN, Call

TODAY = now().date()


@pytest.fixture
def traffic(api: Call, aws: ServiceSettings) -> Traffic:
    return Traffic(aws.table, bytes_a_month=aws.limits.bytes_a_month)


def sent(traffic: Traffic, export_id: str, nbytes: int, *, day: dt.date = TODAY, owner: str = ANNA) -> None:
    ticket = Ticket.new(now())
    told = Sent(owner=owner, export_id=export_id, ticket=ticket, day=day, nbytes=nbytes, requests=2)
    traffic.count(f"results/{ticket}", told)


def test_what_left_by_day_and_export(api: Call, traffic: Traffic) -> None:
    assert api("GET", "/usage").json["rows"] == []
    yesterday = TODAY - dt.timedelta(days=1)
    sent(traffic, "b" * 24, 30)
    sent(traffic, "a" * 24, 10)
    sent(traffic, "a" * 24, 5)
    sent(traffic, "a" * 24, 100, day=yesterday)
    sent(traffic, "c" * 24, 1, day=TODAY - dt.timedelta(days=90))
    traffic.reserve(Ticket.new(now()), ANNA, "a" * 24, 7)
    answer = api("GET", "/usage", query={"since": str(yesterday)})
    rows = [(row["day"], row["export_id"][0], row["nbytes"], row["requests"]) for row in answer.json["rows"]]
    assert rows == [(str(yesterday), "a", 100, 2), (str(TODAY), "a", 15, 4), (str(TODAY), "b", 30, 2)]
    assert (answer.json["nbytes"], answer.json["requests"]) == (145, 8)
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    month = answer.json["this_month"]
    assert month == {
        "month": f"{TODAY:%Y-%m}", "bytes_limit": 10**12, "bytes_sent": 146, "bytes_reserved": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    "how", [{"query": {"format": "csv"}}, {"headers": {"Accept": "text/csv"}}], ids=["query", "accept"]
)
def test_as_a_table(api: Call, traffic: Traffic, how: dict[str, dict[str, str]]) -> None:
    sent(traffic, "a" * 24, 10)
    answer = api("GET", "/usage", **how)
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith('attachment; filename="usage-')
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert list(csv.DictReader(io.StringIO(answer.text))) == [
        {"day": str(TODAY), "export_id": "a" * 24, "nbytes": "10", "requests": "2"}
    ]


@pytest.mark.parametrize(
    ("accept", "table"),
    [
        ("text/csv, */*", True),
        ("text/csv;q=0.9, */*;q=0.1", True),
        ("TEXT/CSV", True),
        ("application/json;q=0.5, text/csv", True),
        ("application/json, text/csv", False),
        ("text/csv;q=0.2, application/json", False),
        ("text/csv;q=0", False),
        ("*/*", False),
        (";,q=", False),
    ],
)
def test_what_the_header_prefers(api: Call, traffic: Traffic, accept: str, table: bool) -> None:
    answer = api("GET", "/usage", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("text/csv" if table else "application/json")


def test_the_query_is_stronger_than_the_header(api: Call, traffic: Traffic) -> None:
    answer = api("GET", "/usage", query={"format": "json"}, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "application/json"


def test_ones_own_alone(api: Call, traffic: Traffic) -> None:
    sent(traffic, "a" * 24, 10)
    assert api("GET", "/usage", who=BEN).json["nbytes"] == 0
    assert api("GET", "/usage", who=BEN, query={"owner": ANNA}).status == 404
    assert api("GET", "/usage", who=ADMIN, query={"owner": ANNA}).json["nbytes"] == 10
    assert api("GET", "/usage", query={"owner": ANNA}).json["nbytes"] == 10


@pytest.mark.parametrize(
    ("since", "until", "wrong"),
    [
        ("2026-02-01", "2026-01-01", "since"),
        ("2024-01-01", "2026-01-01", "since"),
        ("2026-02-30", "2026-03-01", "since"),
        ("2026-02-01", "1", "until"),
    ],
)
def test_days_that_are_none(api: Call, since: str, until: str, wrong: str) -> None:
    refused = api("GET", "/usage", query={"since": since, "until": until})
    assert (refused.status, refused.json["parameter"]) == (422, wrong)


def test_too_much_for_an_answer(api: Call, traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutline.service.usage.MAX_ROWS", 1)
    sent(traffic, "a" * 24, 10)
    assert api("GET", "/usage").status == 200
    sent(traffic, "b" * 24, 10)
    assert api("GET", "/usage").status == 413


def test_limits_and_use_are_told(api: Call, traffic: Traffic) -> None:
    traffic.reserve(Ticket.new(now()), ANNA, "a" * 24, 7)
    sent(traffic, "a" * 24, 10)
    told = api("GET", "/me").json
    assert (told["limits"]["bytes_a_month"], told["used"]["bytes_this_month"]) == (10**12, 17)
