"""Quotas hold under concurrency, count once, and are given back once."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest

from cutline.errors import RateLimited
from cutline.models.record import ExportRecord, now
from cutline.settings import Limits, ServiceSettings
from cutline.store.quotas import Quotas

LIMITS = Limits(exports_at_once=5, pixels_a_month=1000)


@pytest.fixture
def quotas(aws: ServiceSettings) -> Quotas:
    return Quotas(aws.table, LIMITS)


def export(number: int = 1, *, attempt: int = 1, owner: str = "anna", at: dt.datetime | None = None) -> ExportRecord:
    at = at or now()
    return ExportRecord(
        export_id=f"e{number}", attempt=attempt, owner=owner, name="x", status="PENDING", created_at=at, updated_at=at,
        request_href="",
    )  # fmt: skip


def used(quotas: Quotas, owner: str = "anna") -> tuple[int, int]:
    found = quotas.used(owner)
    return found["exports_running"], found["pixels_this_month"]


def test_counting_twice_counts_once(quotas: Quotas) -> None:
    for _ in range(3):
        quotas.reserve_export(export())
        quotas.reserve_pixels(export(), 400)
    assert used(quotas) == (1, 400)


def test_giving_back_twice_gives_back_once(quotas: Quotas) -> None:
    for number in (1, 2):
        quotas.reserve_export(export(number))
        quotas.reserve_pixels(export(number), 400)
    for _ in range(3):
        quotas.release(export(1), pixels=True)
    assert used(quotas) == (1, 400)


def test_pixels_that_were_rendered_count_for_good(quotas: Quotas) -> None:
    quotas.reserve_export(export())
    quotas.reserve_pixels(export(), 400)
    quotas.release(export(), pixels=False)
    quotas.release(export(), pixels=True)
    assert used(quotas) == (0, 400)


def test_limits(quotas: Quotas) -> None:
    for number in range(5):
        quotas.reserve_export(export(number))
    with pytest.raises(RateLimited, match="5 exports are running already"):
        quotas.reserve_export(export(5))
    quotas.reserve_export(export(0))
    quotas.reserve_pixels(export(0), 1000)
    with pytest.raises(RateLimited, match="more than what is left of this month's 1,000"):
        quotas.reserve_pixels(export(1), 1)
    with pytest.raises(RateLimited):
        quotas.reserve_pixels(export(2), 1001)
    assert used(quotas) == (5, 1000)


def test_attempts_count_apart(quotas: Quotas) -> None:
    quotas.reserve_export(export(attempt=1))
    quotas.reserve_export(export(attempt=2))
    quotas.release(export(attempt=1), pixels=True)
    assert used(quotas) == (1, 0)


def test_users_and_months_count_apart(quotas: Quotas) -> None:
    earlier = now() - dt.timedelta(days=40)
    quotas.reserve_export(export(1, owner="ben"))
    quotas.reserve_pixels(export(2, at=earlier), 1000)
    quotas.reserve_pixels(export(3), 1000)
    assert used(quotas) == (0, 1000)
    assert used(quotas, "ben") == (1, 0)
    quotas.release(export(2, at=earlier), pixels=True)
    assert used(quotas) == (0, 1000), "given back to the month from which it was taken"


@pytest.mark.usefixtures("whole_calls")
def test_a_crowd_gets_no_more_than_there_is(quotas: Quotas) -> None:
    def ask(number: int) -> bool:
        try:
            quotas.reserve_export(export(number % 20))
            quotas.reserve_pixels(export(number % 20), 300)
        except RateLimited:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(60)))
    assert used(quotas) == (5, 900)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: quotas.release(export(number % 20), pixels=True), range(60)))
    assert used(quotas) == (0, 0)


def test_a_retry_counts_in_the_month_in_which_it_begins(quotas: Quotas) -> None:
    first = export(at=dt.datetime(2026, 1, 31, tzinfo=dt.UTC))
    second = first.model_copy(update={"attempt": 2, "retried_at": now()})
    quotas.reserve_pixels(first, 900)
    quotas.release(first, pixels=False)
    quotas.reserve_pixels(second, 400)
    assert used(quotas) == (0, 400)
    quotas.release(second, pixels=True)
    assert used(quotas) == (0, 0)
