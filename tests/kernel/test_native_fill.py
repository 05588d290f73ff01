"""Filling targets that are larger than what is filled, and partly filled before."""

from __future__ import annotations

import numpy as np
import pytest

from cutline.kernel.native import WANTED, WRITTEN, fill
from tests.kernel.test_kernel_loops import DTYPES, affine_patches, random_pixels

METHODS = ("nearest", "bilinear", "cubic", "average", "mode")


def filled(
    target: np.ndarray, state: np.ndarray, patches: np.ndarray, method: str, dtype: str
) -> tuple[np.ndarray, np.ndarray]:
    source = random_pixels(dtype, (len(target), 90, 90))
    valid = np.random.default_rng(1).random((90, 90)) < 0.97
    scale = (0.8, 0.8) if method in {"average", "mode"} else (1.0, 1.0)
    fill(target, state, source=source, valid=valid, origin=(0, 0), patches=patches, scale=scale, method=method)
    return target, state


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_a_part_of_a_larger_target_is_filled_as_one_of_its_size(method: str, dtype: str) -> None:
    """Patches that are moved by an offset; the target, seen as one of exactly their size, gets the same pixels."""
    shape, offset, larger = (48, 80), (21, 7), (100, 130)
    patches = affine_patches(shape, (-3.3, 5.2), (1.1, 1.2))
    alone = filled(np.full((2, *shape), 7, dtype), np.full(shape, WANTED, np.uint8), patches, method, dtype)

    moved = patches.copy()
    moved["row"] += offset[0]
    moved["col"] += offset[1]
    state = np.full(larger, WANTED, np.uint8)
    values, state = filled(np.full((2, *larger), 7, dtype), state, moved, method, dtype)
    part = np.s_[offset[0] : offset[0] + shape[0], offset[1] : offset[1] + shape[1]]
    np.testing.assert_array_equal(values[:, *part], alone[0])
    np.testing.assert_array_equal(state[part], alone[1])
    state[part], values[:, *part] = WANTED, 7
    assert (state == WANTED).all() and (values == 7).all()


@pytest.mark.parametrize("offset", [(-16, -16), (-9, -5), (-1, 90), (95, -7), (200, 3)])
def test_patches_are_cut_off_at_the_edges_of_the_target(offset: tuple[int, int]) -> None:
    patches = affine_patches((64, 64), (2.0, 3.0), (1.1, 1.2))
    patches["row"] += offset[0]
    patches["col"] += offset[1]
    wide = patches.copy()
    wide["row"] += 32
    wide["col"] += 32
    whole = filled(np.zeros((2, 300, 300), np.uint16), np.full((300, 300), WANTED, np.uint8), wide, "cubic", "uint16")
    values, state = filled(
        np.zeros((2, 100, 100), np.uint16), np.full((100, 100), WANTED, np.uint8), patches, "cubic", "uint16"
    )
    np.testing.assert_array_equal(values, whole[0][:, 32:132, 32:132])
    np.testing.assert_array_equal(state, whole[1][32:132, 32:132])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_pixels_do_not_depend_on_what_else_is_wanted(method: str, dtype: str) -> None:
    """Pixels are worked by the run, rows that are not wanted are passed over: no result may show it."""
    shape = (64, 64)
    patches = affine_patches(shape, (-3.3, 5.2), (1.1, 1.2))
    whole = filled(np.full((2, *shape), 7, dtype), np.full(shape, WANTED, np.uint8), patches, method, dtype)
    for share in (0.02, 0.5, 0.98):
        wanted = np.random.default_rng(2).random(shape) < share
        wanted[16:20], wanted[32:48, 16:32] = False, True
        values, state = filled(np.full((2, *shape), 7, dtype), wanted.astype(np.uint8), patches, method, dtype)
        np.testing.assert_array_equal(state == WRITTEN, wanted & (whole[1] == WRITTEN))
        np.testing.assert_array_equal(values, np.where(state == WRITTEN, whole[0], np.array(7, dtype)))


def test_the_most_frequent_of_what_equals_nothing() -> None:
    """NaN that counts as valid must not keep the loop from its end."""
    values, state = np.zeros((1, 16, 16), np.float32), np.full((16, 16), WANTED, np.uint8)
    source = np.full((1, 60, 60), np.nan, np.float32)
    patches = affine_patches((16, 16), (4.0, 4.0), (3.0, 3.0))
    fill(values, state, source=source, valid=None, origin=(0, 0), patches=patches, scale=(1 / 3, 1 / 3), method="mode")
    assert np.isnan(values).all()
    assert (state == WRITTEN).all()
