"""Every mosaic rule end to end: three scenes, each shifted by (10, 10) pixels from the one before, with holes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from tests.support.cli import exported, write_item
from tests.support.scenes import RGBN, UTM33, read, texture, write_scene

EXACT = ("--resampling", "nearest")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.tif"


OFFSETS = ((0, 0), (10, 10), (20, 20))
WHEN = ("2024-06-02T00:00:00Z", "2024-06-03T00:00:00Z", "2024-06-01T00:00:00Z")
CLOUDS = (30.0, 20.0, 10.0)
GRID = (2, 70, 70)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], np.ndarray]:
    """STAC items of three scenes, and their values on the common grid, NaN without data."""
    folder = tmp_path_factory.mktemp("stack")
    items, layers = [], np.full((3, *GRID), np.nan)
    for number, (row, col) in enumerate(OFFSETS):
        pixels = texture((2, 50, 50), "uint16", seed=number)
        pixels[:, 10 + number : 25, 12:30] = 0
        name = f"scene{number}"
        write_scene(
            folder / f"{name}.tif", pixels, transform=UTM33 @ Affine.translation(col, row), nodata=0, names=RGBN
        )
        layers[number, :, row : row + 50, col : col + 50] = np.where(pixels.any(axis=0), pixels, np.nan)
        asset = {"href": f"{name}.tif", "type": "image/tiff", "roles": ["data"]}
        items.append(
            write_item(folder / f"{name}.json", {"image": asset}, when=WHEN[number], cloud_cover=CLOUDS[number])
        )
    return items, layers


def _first(layers: np.ndarray) -> np.ndarray:
    found = layers[0].copy()
    for layer in layers[1:]:
        found = np.where(np.isnan(found), layer, found)
    return found


MOSAICS = {
    "first": _first,
    "newest": lambda layers: _first(layers[[1, 0, 2]]),
    "oldest": lambda layers: _first(layers[[2, 0, 1]]),
    "least-cloud": lambda layers: _first(layers[[2, 1, 0]]),
    "highest": lambda layers: np.nanmax(layers, axis=0),
    "lowest": lambda layers: np.nanmin(layers, axis=0),
    "mean": lambda layers: np.floor(np.nanmean(layers, axis=0) + 0.5),
    "median": lambda layers: np.floor(np.nanmedian(layers, axis=0) + 0.5),
}


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:All-NaN slice")
@pytest.mark.parametrize("rule", MOSAICS)
def test_mosaics(stack: tuple[list[Path], np.ndarray], out: Path, rule: str) -> None:
    items, layers = stack
    scenes = [argument for item in items for argument in ("--scene", item)]
    exported(*scenes, "--mosaic", rule, *EXACT, "-o", out)
    expected = MOSAICS[rule](layers)
    values, valid = read(out)
    np.testing.assert_array_equal(valid, ~np.isnan(expected[0]))
    np.testing.assert_array_equal(values[:, valid], expected[:, valid])


def test_a_time_of_acquisition_chooses_scenes(stack: tuple[list[Path], np.ndarray], out: Path) -> None:
    items, layers = stack
    scenes = [argument for item in items for argument in ("--scene", item)]
    done = exported(*scenes, "--datetime", "2024-06-02/..", *EXACT, "-o", out)
    assert done["scenes"] == ["scene0", "scene1"]
    expected = _first(layers[:2])[:, :60, :60]
    values, valid = read(out)
    np.testing.assert_array_equal(values[:, valid], expected[:, ~np.isnan(expected[0])])
    item = json.loads(out.with_suffix(".json").read_text())
    assert [link["title"] for link in item["links"] if link["rel"] == "derived_from"] == ["scene0", "scene1"]
    assert item["properties"]["start_datetime"] == WHEN[0]
