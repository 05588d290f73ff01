"""Statistics of many tiles as of one, in one pass each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutline.kernel import summarise
from cutline.models.receipt import BandStatistics

NONE = BandStatistics(count=0, minimum=0.0, maximum=0.0, mean=0.0, squares=0.0)


def band_statistics(values: NDArray[Any], valid: NDArray[np.bool_]) -> BandStatistics:
    """Of one band's valid and finite pixels; values and valid: (rows, cols)."""
    count, minimum, maximum, mean, squares = summarise(values, valid)
    return BandStatistics(count=count, minimum=minimum, maximum=maximum, mean=mean, squares=squares)


def combined(parts: Iterable[BandStatistics]) -> BandStatistics:
    """Chan, Golub, LeVeque (1979): means and squares of two sets make those of both."""
    total = NONE
    for part in parts:
        total = _pair(total, part) if total.count and part.count else (total if total.count else part)
    return total


def _pair(one: BandStatistics, other: BandStatistics) -> BandStatistics:
    count = one.count + other.count
    delta = other.mean - one.mean
    return BandStatistics(
        count=count,
        minimum=min(one.minimum, other.minimum),
        maximum=max(one.maximum, other.maximum),
        mean=one.mean + delta * other.count / count,
        squares=one.squares + other.squares + delta * delta * one.count * other.count / count,
    )
