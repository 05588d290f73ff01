"""A window of the output holds the very bytes that the whole has there, whatever is wanted beside them."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from tests.support.cases import GAPS, Case, cases, drawn, image, resampled

Cuts = tuple[list[float], list[float]]
cuts = st.tuples(*[st.lists(st.floats(0.01, 0.99), max_size=3, unique=True).map(sorted)] * 2)
places = st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.integers(1, 70), st.integers(1, 70))
"""Of a window: its first row and col as shares of the whole, its rows and cols"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cases")


def grid_of_windows(shape: tuple[int, int], cuts: Cuts) -> list[tuple[slice, slice]]:
    """The whole, cut at shares of its height and of its width."""
    down, right = (
        sorted({0, *(int(size * share) for share in shares), size}) for size, shares in zip(shape, cuts, strict=True)
    )
    return [
        (slice(*rows), slice(*cols))
        for rows, cols in itertools.product(itertools.pairwise(down), itertools.pairwise(right))
    ]


def same(made: tuple[np.ndarray, np.ndarray], expected: tuple[np.ndarray, np.ndarray]) -> bool:
    """Validity, and the bytes of every valid pixel."""
    (values, valid), (other, other_valid) = made, expected
    assert values.dtype == other.dtype
    return np.array_equal(valid, other_valid) and values[:, valid].tobytes() == other[:, valid].tobytes()


def window_of(whole: tuple[np.ndarray, np.ndarray], rows: slice, cols: slice) -> tuple[np.ndarray, np.ndarray]:
    return whole[0][:, rows, cols], whole[1][rows, cols]


def check(case: Case, folder: Path, windows: list[tuple[slice, slice]], every_band: bool) -> None:
    note(f"grid {case.geobox}, source of {case.shape} pixels")
    with warnings.catch_warnings(), image(case, folder, every_band=every_band) as source:
        warnings.simplefilter("error")
        whole = resampled(source, case)
        for rows, cols in windows:
            shape = rows.stop - rows.start, cols.stop - cols.start
            part = resampled(source, case, case.geobox.window(rows.start, cols.start, shape))
            assert same(part, window_of(whole, rows, cols)), f"rows {rows}, cols {cols} are not those of the whole"
    assert whole[1].any()


@drawn(50)
@given(cases(picture="noise"), cuts, st.lists(places, max_size=3), st.booleans())
def test_windows_are_parts_of_the_whole(
    folder: Path, case: Case, cuts: Cuts, more: list[tuple[float, float, int, int]], every_band: bool
) -> None:
    rows, cols = case.geobox.shape
    windows = grid_of_windows((rows, cols), cuts)
    for first_row, first_col, height, width in more:
        row, col = int(first_row * rows), int(first_col * cols)
        windows.append((slice(row, min(row + height, rows)), slice(col, min(col + width, cols))))
    check(case, folder, windows, every_band)


@drawn(15)
@given(cases(picture="noise", scales=(0.02, 0.1), methods=("bilinear", "cubic", "average")), cuts, st.booleans())
def test_where_the_source_is_halved_first(folder: Path, case: Case, cuts: Cuts, every_band: bool) -> None:
    check(case, folder, grid_of_windows(case.geobox.shape, cuts), every_band)


@drawn(15)
@given(cases(picture="noise", grains=(1.0, 9.0), edge=250, gaps=("speckles",)), st.integers(0, 250))
def test_single_rows_and_columns(folder: Path, case: Case, at: int) -> None:
    """As thin as a window can be, where patches are many."""
    rows, cols = case.geobox.shape
    row, col = at % rows, at % cols
    across, down = (slice(row, row + 1), slice(0, cols)), (slice(0, rows), slice(col, col + 1))
    check(case, folder, [across, down, (across[0], down[1])], every_band=True)


@drawn(25)
@given(cases(picture="noise", edge=100), st.integers(0, 2**16), st.sampled_from((0.02, 0.5, 0.98)), st.booleans())
def test_only_what_is_wanted_is_valid_and_it_is_as_if_all_were(
    folder: Path, case: Case, seed: int, share: float, every_band: bool
) -> None:
    rng = np.random.default_rng(seed)
    wanted = rng.random(case.geobox.shape) < share
    if seed % 2:  # in blocks, so that whole patches are left out
        coarse = rng.random(tuple(-(-size // 24) for size in wanted.shape)) < share
        wanted = np.kron(coarse, np.ones((24, 24), bool))[: wanted.shape[0], : wanted.shape[1]]
    with image(case, folder, every_band=every_band) as source:
        values, valid = resampled(source, case)
        some = resampled(source, case, wanted=wanted)
    assert not (some[1] & ~wanted).any()
    assert same(some, (values, valid & wanted))


@pytest.mark.parametrize("gaps", GAPS)
def test_nothing_wanted_is_nothing_valid(folder: Path, gaps: str) -> None:
    case = Case("utm to web mercator", "cubic", "uint8", gaps, scale=1.0, edge=40)
    with image(case, folder) as source:
        _, valid = resampled(source, case, wanted=np.zeros(case.geobox.shape, np.bool_))
    assert not valid.any()
