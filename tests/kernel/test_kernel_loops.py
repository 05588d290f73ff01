"""The compiled loops against plain numpy, and what they refuse."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutline.kernel.native import PATCH, WANTED, WRITTEN, fill, halve

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
few = settings(deadline=None, max_examples=40)


def random_pixels(dtype: str, shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return (rng.standard_normal(shape) * 1000).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def affine_patches(shape: tuple[int, int], corner: tuple[float, float], step: tuple[float, float]) -> np.ndarray:
    """Patches of a target whose pixel (row, col) covers the source from corner + step · (col, row) on (x, y)."""
    made = []
    for row in range(0, shape[0], 16):
        for col in range(0, shape[1], 16):
            xs = [corner[0] + step[0] * (col + right) for right in (0, 16, 0, 16)]
            ys = [corner[1] + step[1] * (row + down) for down in (0, 0, 16, 16)]
            made.append((row, col, 16, 0, xs, ys))
    return np.array(made, PATCH)


def sampled(
    source: np.ndarray, shape: tuple[int, int], corner: tuple[float, float], step: tuple[float, float], **how: Any
) -> tuple[np.ndarray, np.ndarray]:
    target, state = np.zeros((len(source), *shape), source.dtype), np.full(shape, WANTED, np.uint8)
    patches = affine_patches(shape, corner, step)
    given = {"valid": None, "origin": (0, 0), "scale": (1.0, 1.0), "method": "nearest", **how}
    fill(target, state, source=source, patches=patches, **given)
    return target, state == WRITTEN


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", ["nearest", "bilinear", "cubic", "average", "mode"])
def test_a_grid_on_itself_changes_nothing(dtype: str, method: str) -> None:
    source = random_pixels(dtype, (3, 40, 50))
    values, valid = sampled(source, (40, 50), (0.0, 0.0), (1.0, 1.0), method=method)
    assert valid.all()
    np.testing.assert_array_equal(values, source)


@pytest.mark.parametrize("dtype", DTYPES)
def test_average_of_whole_blocks_is_their_mean(dtype: str) -> None:
    source = random_pixels(dtype, (2, 60, 80))
    values, valid = sampled(source, (15, 20), (0.0, 0.0), (4.0, 4.0), method="average", scale=(0.25, 0.25))
    mean = source.astype("f8").reshape(2, 15, 4, 20, 4).mean(axis=(2, 4))
    assert valid.all()
    if source.dtype.kind == "f":
        np.testing.assert_allclose(values, mean, rtol=1e-4, atol=1e-3)
    else:
        assert np.abs(values.astype("f8") - mean).max() <= 0.5 + 1e-3


def test_mode_is_the_most_frequent_and_of_equals_the_smallest() -> None:
    source = np.array([[[1, 1, 2, 9], [3, 2, 9, 4], [5, 5, 6, 6], [7, 7, 6, 6]]], np.uint8)
    values, _ = sampled(source, (2, 2), (0.0, 0.0), (2.0, 2.0), method="mode", scale=(0.5, 0.5))
    assert values.tolist() == [[[1, 9], [5, 6]]]


@few
@given(st.sampled_from(DTYPES), st.integers(0, 2**32), st.integers(1, 33), st.integers(1, 33), st.booleans())
def test_halving(dtype: str, seed: int, rows: int, cols: int, average: bool) -> None:
    values, rng = random_pixels(dtype, (2, rows, cols), seed), np.random.default_rng(seed)
    valid = rng.random((rows, cols)) < 0.7
    halved, halved_valid = halve(values, valid, "average" if average else "nearest")
    for row in range((rows + 1) // 2):
        for col in range((cols + 1) // 2):
            block = np.s_[2 * row : 2 * row + 2, 2 * col : 2 * col + 2] if average else np.s_[2 * row, 2 * col]
            known = values[(slice(None), *block)][:, valid[block]].reshape(2, -1)
            assert halved_valid[row, col] == bool(known.size)
            expected = known.astype(object).sum(axis=1) / known.shape[1] if known.size else np.zeros(2)
            if known.size and np.dtype(dtype).kind != "f":
                expected = [
                    int((2 * int(total) + known.shape[1]) // (2 * known.shape[1]))
                    for total in known.astype(object).sum(axis=1)
                ]
            np.testing.assert_allclose(halved[:, row, col].astype("f8"), np.array(expected, "f8"), rtol=1e-6)


@pytest.mark.parametrize("method", ["bilinear", "cubic"])
def test_pixels_without_data_have_no_part_in_their_neighbours(method: str) -> None:
    source, valid = np.full((1, 40, 40), 100, np.uint8), np.ones((40, 40), bool)
    source[:, 10:20, 10:20], valid[10:20, 10:20] = 255, False
    values, written = sampled(source, (40, 40), (0.3, 0.4), (0.9, 0.9), method=method, valid=valid)
    assert set(values[:, written].ravel().tolist()) == {100}
    x, y = np.meshgrid(0.3 + 0.9 * (np.arange(40) + 0.5), 0.4 + 0.9 * (np.arange(40) + 0.5))
    inside = (x < 40) & (y < 40)
    nearest = valid[np.clip(y.astype(int), 0, 39), np.clip(x.astype(int), 0, 39)]
    np.testing.assert_array_equal(written, nearest & inside)


def test_only_what_is_wanted_is_touched() -> None:
    source, state = random_pixels("uint16", (1, 64, 64)), np.zeros((64, 64), np.uint8)
    state[5:9, 7:40] = WANTED
    target = np.full((1, 64, 64), 7, np.uint16)
    patches = affine_patches((64, 64), (0.0, 0.0), (1.0, 1.0))
    fill(target, state, source=source, valid=None, origin=(0, 0), patches=patches, scale=(1.0, 1.0), method="cubic")
    expected = np.full((1, 64, 64), 7, np.uint16)
    expected[:, 5:9, 7:40] = source[:, 5:9, 7:40]
    np.testing.assert_array_equal(target, expected)


@pytest.mark.parametrize("method", ["nearest", "bilinear", "cubic", "average"])
def test_the_window_of_the_source_does_not_matter(method: str) -> None:
    source = random_pixels("uint16", (2, 200, 220))
    valid = np.random.default_rng(3).random((200, 220)) < 0.9
    how = {"method": method, "scale": (1.0, 1.0) if method != "average" else (0.7, 0.7)}
    whole = sampled(source, (48, 48), (60.25, 70.5), (0.7, 0.7), valid=valid, **how)
    cut = np.s_[60:130, 50:120]
    part = sampled(
        np.ascontiguousarray(source[:, *cut]), (48, 48), (60.25, 70.5), (0.7, 0.7),
        valid=np.ascontiguousarray(valid[cut]), origin=(60, 50), **how,
    )  # fmt: skip
    np.testing.assert_array_equal(whole[1], part[1])
    np.testing.assert_array_equal(whole[0], part[0])


def test_the_same_bits_everywhere() -> None:
    """No CPU, compiler or build may change a result: the hashes were made on x86_64 by zig."""
    digest = hashlib.sha256()
    for dtype in ("uint8", "uint16", "float32", "float64"):
        rng = np.random.default_rng(11)  # its bits are the same everywhere by numpy's promise
        source = (rng.integers(0, 200, (3, 90, 90)) + rng.integers(0, 4, (3, 90, 90)) / 4).astype(dtype)
        valid = rng.integers(0, 20, (90, 90)) > 0
        for method in ("nearest", "bilinear", "cubic", "average", "mode"):
            for scale in (1.0, 0.4):
                values, written = sampled(
                    source,
                    (48, 64),
                    (3.3, 2.7),
                    (1.1 / scale, 1.2 / scale),
                    method=method,
                    valid=valid,
                    scale=(scale, scale),
                )
                values[:, ~written] = 0
                digest.update(values.tobytes() + written.tobytes())
        for average in ("average", "nearest"):
            digest.update(halve(source, valid, average)[0].tobytes())
    assert digest.hexdigest()[:16] == GOLDEN


GOLDEN = "ac0a0b9352797e14"


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": np.zeros((1, 8, 8), np.int16)},
        {"source": np.zeros((2, 8, 8), np.uint8)},
        {"source": np.zeros((1, 8, 16), np.uint8)[:, :, ::2]},
        {"valid": np.ones((8, 9), bool)},
        {"patches": np.zeros(1, PATCH)},
        {"patches": np.zeros(4)},
    ],
    ids=["dtype", "bands", "not contiguous", "shape of validity", "patch without size", "no patches"],
)
def test_c_is_told_nothing_wrong(wrong: dict[str, Any]) -> None:
    right = {"source": np.zeros((1, 8, 8), np.uint8), "valid": None, "patches": affine_patches((8, 8), (0, 0), (1, 1))}
    with pytest.raises(ValueError, match=r"."):
        fill(
            np.zeros((1, 8, 8), np.uint8), np.ones((8, 8), np.uint8), origin=(0, 0), scale=(1.0, 1.0),
            method="nearest", **{**right, **wrong},
        )  # fmt: skip


def test_types_that_have_no_loop_are_refused() -> None:
    with pytest.raises(TypeError):
        halve(np.zeros((1, 4, 4), np.complex64), np.ones((4, 4), bool), "average")
