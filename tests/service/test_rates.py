"""Token buckets: so many in a row, and then so many a minute."""

from __future__ import annotations

import threading

import pytest

from cutline.errors import RateLimited
from cutline.settings import ServiceSettings
from cutline.store.rates import Rates


class Clock:
    """Goes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1_800_000_000.0
        monkeypatch.setattr("cutline.store.rates.time.time_ns", lambda: int(self.seconds * 1e9))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def taken(rates: Rates, tries: int, who: str = "anna") -> int:
    """How many of so many tries get a token."""
    count = 0
    for _ in range(tries):
        try:
            rates.take(who)
        except RateLimited:
            continue
        count += 1
    return count


def test_so_many_in_a_row_and_then_at_a_steady_rate(aws: ServiceSettings, clock: Clock) -> None:
    rates = Rates(aws.table, a_minute=30, in_a_row=5)
    assert taken(rates, 8) == 5
    clock.seconds += 2  # one comes back every two seconds
    assert taken(rates, 3) == 1
    clock.seconds += 5
    assert taken(rates, 5) == 2
    clock.seconds += 3600  # full, and not fuller
    assert taken(rates, 8) == 5
    assert taken(rates, 8, "ben") == 5


def test_who_is_refused_is_told_when_to_come_back(aws: ServiceSettings, clock: Clock) -> None:
    rates = Rates(aws.table, a_minute=6, in_a_row=1)
    rates.take("anna")
    clock.seconds += 2.5
    with pytest.raises(RateLimited) as refused:
        rates.take("anna")
    assert refused.value.details == {"retry_after": 8}
    clock.seconds += 7.5
    rates.take("anna")


@pytest.mark.usefixtures("whole_calls")
def test_many_at_once_get_no_more(aws: ServiceSettings, clock: Clock) -> None:
    rates = Rates(aws.table, a_minute=1, in_a_row=7)
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(taken(rates, 3))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 7
