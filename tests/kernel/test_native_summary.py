"""Summing up and halving, in every type, against numpy."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutline.kernel import halve, summarise
from tests.kernel.test_kernel_loops import DTYPES, random_pixels

few = settings(deadline=None, max_examples=40)


def flags(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Validity of scattered pixels on the left, of all in the middle, of none on the right."""
    valid = np.random.default_rng(seed).random(shape) < 0.7
    valid[:, shape[1] // 3 : 2 * shape[1] // 3] = True
    valid[:, 2 * shape[1] // 3 :] = False
    return valid


@few
@given(st.sampled_from(DTYPES), st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 3000))
def test_summary(dtype: str, seed: int, rows: int, cols: int) -> None:
    values, valid = random_pixels(dtype, (1, rows, cols), seed)[0], flags((rows, cols), seed)
    if values.dtype.kind == "f":
        values[np.random.default_rng(seed).random((rows, cols)) < 0.1] = math.nan
        values[np.random.default_rng(seed + 1).random((rows, cols)) < 0.1] = -math.inf
    count, minimum, maximum, mean, squares = summarise(values, valid)
    known = values[valid & np.isfinite(values)].astype("f8")
    assert count == known.size
    if count:
        assert (minimum, maximum) == (known.min(), known.max())
        assert mean == pytest.approx(known.mean(), rel=1e-12, abs=1e-9 * np.abs(known).max())
        assert squares == pytest.approx(((known - known.mean()) ** 2).sum(), rel=1e-9, abs=1e-6)
    else:
        assert (minimum, maximum, mean, squares) == (0, 0, 0, 0)


@few
@given(st.sampled_from(["uint8", "int8", "uint16", "int16"]), st.integers(0, 2**32))
def test_summary_of_small_integers_is_exact(dtype: str, seed: int) -> None:
    values, valid = random_pixels(dtype, (1, 7, 2050), seed)[0], flags((7, 2050), seed)
    known = [int(value) for value in values[valid]]
    count, _, _, mean, squares = summarise(values, valid)
    assert (count, mean) == (len(known), sum(known) / len(known))
    assert squares == float(sum(value * value for value in known)) - sum(known) * mean


def test_the_largest_squares_fit() -> None:
    for dtype, extreme in (("uint16", 65535), ("int16", -32768), ("uint8", 255), ("int8", -128)):
        values, valid = np.full((3, 5000), extreme, dtype), np.ones((3, 5000), bool)
        assert summarise(values, valid) == (15000, extreme, extreme, extreme, 0)


def test_nothing_to_sum_up() -> None:
    assert summarise(np.full((4, 9), math.nan), np.ones((4, 9), bool)) == (0, 0, 0, 0, 0)
    assert summarise(np.ones((4, 9), np.uint8), np.zeros((4, 9), bool)) == (0, 0, 0, 0, 0)
    with pytest.raises(ValueError, match="rows and cols"):
        summarise(np.ones((4, 9)), np.ones((9, 4), bool))
    with pytest.raises(TypeError, match="complex"):
        summarise(np.ones((4, 9), complex), np.ones((4, 9), bool))


@pytest.mark.parametrize("dtype", DTYPES)
def test_halving_in_blocks_is_halving_pixel_by_pixel(dtype: str) -> None:
    """A wide row is worked in blocks of pixels that are all, partly or not at all valid; a narrow one is not."""
    values, valid = random_pixels(dtype, (2, 9, 611), 4), flags((9, 611), 4)
    for method in ("average", "nearest"):
        halved, halved_valid = halve(values, valid, method)
        for col in range(0, 611, 10):
            part, part_valid = halve(values[:, :, col : col + 10], valid[:, col : col + 10], method)
            at = slice(col // 2, col // 2 + part.shape[2])
            np.testing.assert_array_equal(halved[:, :, at], part)
            np.testing.assert_array_equal(halved_valid[:, at], part_valid)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_halves_are_rounded_up_below_zero_too(count: int) -> None:
    for total in range(-9, 9):
        values, valid = np.zeros((1, 2, 128), np.int16), np.zeros((2, 128), bool)
        values[0, 0, ::2], valid[0, ::2] = total, True
        valid[0, 1::2], valid[1, ::2], valid[1, 1::2] = count > 1, count > 2, count > 3
        halved, _ = halve(values, valid, "average")
        assert set(halved.ravel().tolist()) == {math.floor(total / count + 0.5)}


def test_the_mean_of_floats_adds_in_reading_order() -> None:
    a, b, c, d = 1e16, 1.0, -1e16, 1.0
    halved, _ = halve(np.array([[[a, b] * 40, [c, d] * 40]]), np.ones((2, 80), bool), "average")
    assert set(map(struct.pack, "d" * 40, halved.ravel())) == {struct.pack("d", (((a + b) + c) + d) / 4)}
