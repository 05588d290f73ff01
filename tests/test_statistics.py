"""Statistics of parts, put together, are those of the whole."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cutline.models.receipt import BandStatistics
from cutline.statistics import NONE, band_statistics, combined

few = settings(deadline=None, max_examples=60)
DTYPES = ("uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")


def told(statistics: BandStatistics) -> tuple[float, ...]:
    deviation = math.sqrt(statistics.squares / statistics.count) if statistics.count else 0.0
    return statistics.count, statistics.minimum, statistics.maximum, statistics.mean, deviation


def by_numpy(known: np.ndarray) -> tuple[float, ...]:
    wide = known.astype(np.float64)
    return known.size, wide.min(), wide.max(), wide.mean(), wide.std()


@few
@given(st.sampled_from(DTYPES), st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_parts_make_the_whole(dtype: str, seed: int, cuts: int) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.normal(120, 30, (40, 30)) * rng.choice([1, 100])).clip(0, 255).astype(dtype)
    valid = rng.random((40, 30)) < rng.choice([0.02, 0.5, 1.0])
    if not valid.any():
        return
    whole = band_statistics(values, valid)
    assert told(whole) == pytest.approx(by_numpy(values[valid]), rel=1e-12)
    pieces = zip(np.array_split(values, cuts), np.array_split(valid, cuts), strict=True)
    parts = [band_statistics(*piece) for piece in pieces]
    assert told(combined(parts)) == pytest.approx(told(whole), rel=1e-12)
    assert told(combined(reversed(parts))) == pytest.approx(told(whole), rel=1e-12)


@few
@given(arrays.arrays(np.int32, (5, 7), elements=st.integers(-(2**31), 2**31 - 1)))
def test_the_extremes_are_exact_however_far_apart(values: np.ndarray) -> None:
    rows = [band_statistics(row[np.newaxis], np.ones((1, 7), np.bool_)) for row in values]
    whole = combined(rows)
    assert (whole.count, whole.minimum, whole.maximum) == (35, values.min(), values.max())
    assert whole.mean == pytest.approx(values.astype(float).mean(), rel=1e-9, abs=1e-3)


def test_a_large_mean_does_not_drown_a_small_deviation() -> None:
    values = 1e9 + np.random.default_rng(1).normal(0, 1, (100, 100))
    whole = combined(band_statistics(row[np.newaxis], np.ones((1, 100), np.bool_)) for row in values)
    assert told(whole)[4] == pytest.approx(values.std(), rel=1e-6)


def test_nothing_is_nothing() -> None:
    nowhere = np.zeros((3, 3), np.bool_)
    something = BandStatistics(count=2, minimum=1, maximum=3, mean=2, squares=2)
    assert band_statistics(np.ones((3, 3)), nowhere) == NONE
    assert combined([]) == combined([NONE, NONE]) == NONE
    assert combined([NONE, something, NONE]) == something


def test_what_is_not_finite_does_not_count() -> None:
    values = np.array([[1, np.nan, np.inf], [3, -np.inf, 5]], np.float32)
    everywhere = np.ones((2, 3), np.bool_)
    assert told(band_statistics(values, everywhere)) == pytest.approx(by_numpy(np.array([1.0, 3.0, 5.0])))
    assert band_statistics(values[:, 1:2], everywhere[:, 1:2]) == NONE
