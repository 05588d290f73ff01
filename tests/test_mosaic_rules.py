"""The rules by which overlapping scenes become one pixel, against numpy; and what each of them leaves unread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cutline.kernel.native import WANTED, WRITTEN
from cutline.models.grid import Geobox
from cutline.mosaic import RULES, Window, time_stack

SHAPE = (30, 40)
GRID = Geobox(crs="EPSG:32633", resolution=(10, 10), col=1000, row=-500, shape=(300, 400))
AT = (100, 200)
"""Where the window lies in the grid"""


class Fake:
    """A scene that lies ready on the grid: values (bands, rows, cols) and validity of the whole window."""

    def __init__(self, values: np.ndarray, valid: np.ndarray, box: tuple[int, int, int, int] | None = None) -> None:
        self.values, self.valid = values, valid.copy()
        rows, cols = valid.shape
        self.box = box or (AT[0], AT[1], AT[0] + rows, AT[1] + cols)
        outside = np.ones_like(valid)
        outside[
            max(self.box[0] - AT[0], 0) : max(self.box[2] - AT[0], 0),
            max(self.box[1] - AT[1], 0) : max(self.box[3] - AT[1], 0),
        ] = False
        self.valid[outside] = False
        self.asked: list[tuple[int, int, int, int]] = []

    def read(self, geobox: Geobox, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        row, col = geobox.row - GRID.row - AT[0], geobox.col - GRID.col - AT[1]
        rows, cols = geobox.shape
        assert wanted.shape == geobox.shape and wanted.any()
        assert row >= 0 and col >= 0 and row + rows <= self.valid.shape[0] and col + cols <= self.valid.shape[1]
        self.asked.append((row, col, rows, cols))
        part = np.s_[row : row + rows, col : col + cols]
        # What is stored where there is no data means nothing.
        values = np.where(self.valid[part], self.values[(slice(None), *part)], 77)
        return values.astype(self.values.dtype), self.valid[part] & wanted

    def read_into(self, geobox: Geobox, values: np.ndarray, state: np.ndarray, at: tuple[int, int]) -> None:
        part = np.s_[at[0] : at[0] + geobox.shape[0], at[1] : at[1] + geobox.shape[1]]
        fresh, valid = self.read(geobox, state[part] == WANTED)
        np.copyto(values[(slice(None), *part)], fresh, where=valid)
        state[part][valid] = WRITTEN

    @property
    def pixels(self) -> int:
        return sum(rows * cols for _, _, rows, cols in self.asked)


def window(dtype: str, bands: int = 2, wanted: np.ndarray | None = None) -> Window:
    return Window(GRID, *AT, np.ones(SHAPE, np.bool_) if wanted is None else wanted, bands, dtype)


def fakes(count: int, dtype: str, seed: int = 5, filled: float = 0.6) -> list[Fake]:
    rng = np.random.default_rng(seed)
    limits = (0, 1) if np.dtype(dtype).kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return [Fake((rng.uniform(*limits, (2, *SHAPE))).astype(dtype), rng.random(SHAPE) < filled) for _ in range(count)]


def layers(readers: list[Fake]) -> np.ma.MaskedArray:
    values = np.stack([reader.values for reader in readers]).astype(np.float64)
    valid = np.stack([np.broadcast_to(reader.valid, reader.values.shape) for reader in readers])
    return np.ma.masked_array(values, ~valid)


def half_up(values: Any, dtype: str) -> Any:
    return values if np.dtype(dtype).kind == "f" else np.floor(values + 0.5)


def expected(rule: str, readers: list[Fake], dtype: str) -> np.ma.MaskedArray:
    stack = layers(readers)
    if rule == "first":
        at = np.argmin(np.ma.getmaskarray(stack), axis=0)[np.newaxis]
        return np.ma.masked_array(np.take_along_axis(stack, at, 0)[0], stack.mask.all(axis=0))
    if rule in {"highest", "lowest"}:
        return stack.max(axis=0) if rule == "highest" else stack.min(axis=0)
    middle = stack.mean(axis=0) if rule == "mean" else np.ma.median(stack, axis=0)
    return np.ma.masked_array(half_up(np.ma.getdata(middle), dtype), np.ma.getmaskarray(middle))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("rule", RULES)
def test_the_rule_is_numpys(rule: Any, count: int, dtype: str) -> None:
    readers = fakes(count, dtype)
    wanted = np.random.default_rng(9).random(SHAPE) < 0.9
    values, valid = RULES[rule](window(dtype, wanted=wanted), readers)  # type: ignore[arg-type]
    oracle = expected(rule, readers, dtype)
    assert values.dtype == dtype and values.shape == (2, *SHAPE)
    np.testing.assert_array_equal(valid, ~np.ma.getmaskarray(oracle)[0] & wanted)
    got, right = values[:, valid].astype(float), np.ma.getdata(oracle)[:, valid]
    if rule in {"mean", "median"} and np.dtype(dtype).kind == "f":
        np.testing.assert_allclose(got, right, rtol=1e-6)
    else:
        np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize("rule", RULES)
def test_scenes_that_reach_a_part(rule: Any) -> None:
    whole = fakes(3, "uint8", filled=1)
    boxes = [(90, 190, 115, 215), (100, 200, 130, 240), (120, 230, 999, 999)]
    readers = [Fake(each.values, each.valid, box) for each, box in zip(whole, boxes, strict=True)]
    values, valid = RULES[rule](window("uint8"), readers)  # type: ignore[arg-type]
    oracle = expected(rule, readers, "uint8")
    assert valid.all()
    np.testing.assert_array_equal(values, np.ma.getdata(oracle))
    assert readers[0].pixels == 15 * 15
    assert readers[2].pixels == (0 if rule == "first" else 10 * 10)  # nothing is missing by then


@pytest.mark.parametrize("rule", RULES)
def test_nothing_at_all(rule: Any) -> None:
    empty = Fake(np.zeros((2, *SHAPE), np.uint8), np.zeros(SHAPE, np.bool_))
    for readers in ([empty], [empty, empty]):
        values, valid = RULES[rule](window("uint8"), readers)  # type: ignore[arg-type]
        assert not valid.any() and values.shape == (2, *SHAPE)


@pytest.mark.parametrize("rule", RULES)
def test_a_scene_elsewhere_is_not_read(rule: Any) -> None:
    elsewhere = [Fake(*_full(), box) for box in ((0, 0, 90, 400), (0, 0, 300, 190), (140, 0, 300, 400), (0, 0, 0, 0))]
    _, valid = RULES[rule](window("uint8"), elsewhere)  # type: ignore[arg-type]
    assert not valid.any()
    assert [reader.asked for reader in elsewhere] == [[]] * 4


def _full() -> tuple[np.ndarray, np.ndarray]:
    return np.full((2, *SHAPE), 9, np.uint8), np.ones(SHAPE, np.bool_)


def test_first_reads_nothing_below_what_is_filled() -> None:
    over, below = Fake(*_full()), Fake(*_full())
    RULES["first"](window("uint8"), [over, below])  # type: ignore[list-item]
    assert over.pixels == 30 * 40 and not below.asked


def test_first_reads_only_around_what_is_missing() -> None:
    values, valid = _full()
    valid[4:6, 10:13] = False
    over, below, last = Fake(values, valid), Fake(*_full()), Fake(*_full())
    RULES["first"](window("uint8"), [over, below, last])  # type: ignore[list-item]
    assert below.asked == [(4, 10, 2, 3)] and not last.asked


def test_only_what_is_wanted_is_read() -> None:
    wanted = np.zeros(SHAPE, np.bool_)
    wanted[7, 3], wanted[9, 20] = True, True
    for rule in RULES.values():
        reader = Fake(*_full())
        _, valid = rule(window("uint8", wanted=wanted), [reader])  # type: ignore[list-item]
        assert reader.asked == [(7, 3, 3, 18)]
        np.testing.assert_array_equal(valid, wanted)


@pytest.mark.parametrize(("dtype", "wide"), [("uint8", "f4"), ("uint16", "f4"), ("float32", "f4"), ("uint32", "f8")])
def test_time_is_a_stack_with_nan(dtype: str, wide: str) -> None:
    readers = fakes(3, dtype)
    stack = time_stack(window(dtype), readers)  # type: ignore[arg-type]
    assert stack.shape == (3, 2, *SHAPE) and stack.dtype == wide
    np.testing.assert_array_equal(stack, layers(readers).filled(np.nan))
