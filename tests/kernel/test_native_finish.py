"""Computed values become those that are stored, against numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutline.kernel import finish
from tests.kernel.test_kernel_loops import DTYPES


def by_numpy(values: np.ndarray, valid: np.ndarray, empty: Any, beside: Any) -> tuple[np.ndarray, np.ndarray]:
    known = np.broadcast_to(valid, values.shape)
    if values.dtype.kind == "f":
        known = known & np.isfinite(values)
        valid = valid & known.any(axis=0)
    stored = values if beside is None else np.where(values == empty, beside, values)
    return np.where(known, stored, empty).astype(values.dtype), valid


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(DTYPES),
    st.integers(0, 2**32),
    st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 2500)),
    st.booleans(),
    st.booleans(),
)
def test_as_numpy_has_it(dtype: str, seed: int, shape: tuple[int, int, int], evades: bool, empty_is_nan: bool) -> None:
    rng = np.random.default_rng(seed)
    values, valid = rng.integers(0, 4, shape).astype(dtype), rng.random(shape[1:]) < 0.8
    empty: Any = 2
    if values.dtype.kind == "f":
        for wrong in (math.nan, math.inf, -math.inf):
            values[rng.random(shape) < 0.2] = wrong
        empty = math.nan if empty_is_nan else 2.0
    beside = values.dtype.type(3) if evades else None
    expected, expected_valid = by_numpy(values, valid, values.dtype.type(empty), beside)
    finish(values, valid, values.dtype.type(empty), beside)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(valid, expected_valid)


def test_without_another_value_a_known_one_keeps_its_bits() -> None:
    values, valid = np.full((1, 2, 40), -0.0), np.ones((2, 40), bool)
    finish(values, valid, 0.0, None)
    assert np.signbit(values).all()


def test_the_extremes_of_wide_integers() -> None:
    for dtype in (np.uint32, np.int32):
        limits = np.iinfo(dtype)
        values, valid = np.array([[[limits.min, limits.max, 7]]], dtype), np.array([[True, True, False]])
        finish(values, valid, dtype(limits.max), dtype(limits.max - 1))
        assert values.tolist() == [[[limits.min, limits.max - 1, limits.max]]]


@pytest.mark.parametrize(
    ("values", "valid"),
    [
        (np.zeros((1, 4, 5)), np.ones((5, 4), bool)),
        (np.zeros((1, 4, 5)), np.ones((4, 5), np.uint8)),
        (np.zeros((1, 4, 10))[:, :, ::2], np.ones((4, 5), bool)),
        (np.broadcast_to(0.0, (1, 4, 5)), np.ones((4, 5), bool)),
    ],
    ids=["shape of validity", "type of validity", "not contiguous", "not writeable"],
)
def test_arrays_that_are_not_as_said(values: np.ndarray, valid: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"validity|arrays"):
        finish(values, valid, 0.0, None)


def test_no_loop_for_complex_numbers() -> None:
    with pytest.raises(TypeError, match="complex"):
        finish(np.zeros((1, 4, 5), complex), np.ones((4, 5), bool), 0, None)
