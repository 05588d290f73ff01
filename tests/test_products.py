"""Every way to say what comes out, end to end at small size, with numpy as the oracle."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from color_operations import parse_operations

from tests.support.cli import box, exported, write_aoi, write_item
from tests.support.scenes import UTM33, read, texture, write_scene

SHAPE = (4, 60, 70)
RED, GREEN, BLUE, NIR = range(4)
EXACT = ("--resampling", "nearest")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("scene") / "scene.tif", texture(SHAPE, "uint16"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.tif"


PIXELS = texture(SHAPE, "uint16").astype("f8")
NDVI = (PIXELS[NIR] - PIXELS[RED]) / (PIXELS[NIR] + PIXELS[RED])


def _graph(*steps: dict) -> dict:
    """load_collection, then these steps, each taking what the one before gives."""
    graph = {"load": {"process_id": "load_collection", "arguments": {"id": "scenes"}}}
    last = "load"
    for number, step in enumerate(steps):
        name = f"step{number}"
        graph[name] = {**step, "arguments": {"data": {"from_node": last}, **step["arguments"]}}
        last = name
    graph[last]["result"] = True
    return graph


GRAPHS = {
    "ndvi": (_graph({"process_id": "ndvi", "arguments": {}}), NDVI),
    "bands scaled linearly": (
        _graph(
            {"process_id": "filter_bands", "arguments": {"bands": ["nir", "green"]}},
            {
                "process_id": "apply",
                "arguments": {
                    "process": {
                        "process_graph": {
                            "scaled": {
                                "process_id": "linear_scale_range",
                                "arguments": {
                                    "x": {"from_parameter": "x"},
                                    "inputMin": 1000,
                                    "inputMax": 50000,
                                    "outputMax": 10,
                                },
                                "result": True,
                            }
                        }
                    }
                },
            },
        ),
        (np.clip(PIXELS[[NIR, GREEN]], 1000, 50000) - 1000) / 49000 * 10,
    ),
    "the mean of the bands": (
        _graph(
            {
                "process_id": "reduce_dimension",
                "arguments": {
                    "dimension": "bands",
                    "reducer": {
                        "process_graph": {
                            "mean": {
                                "process_id": "mean",
                                "arguments": {"data": {"from_parameter": "data"}},
                                "result": True,
                            }
                        }
                    },
                },
            }
        ),
        PIXELS.mean(axis=0),
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_of_ones_own(tmp_path: Path, scene: Path, out: Path, name: str) -> None:
    graph, expected = GRAPHS[name]
    file = tmp_path / "graph.json"
    file.write_text(json.dumps(graph))
    done = exported("--scene", scene, "--graph", file, *EXACT, "-o", out)
    assert done["dtype"] == "float32"
    values, valid = read(out)
    np.testing.assert_allclose(values, np.broadcast_to(expected, values.shape), rtol=2e-6, atol=1e-6)
    assert valid.all()


FORMULAS = {
    "an index": (("--process", "ndvi"), NDVI, "ndvi"),
    "an index of the catalogue, case aside": (
        ("--process", "evi"),
        2.5 * (PIXELS[NIR] - PIXELS[RED]) / (PIXELS[NIR] + 6 * PIXELS[RED] - 7.5 * PIXELS[BLUE] + 1),
        "evi",
    ),
    "an expression": (("--expression", "sqrt(nir) - red / 2"), np.sqrt(PIXELS[NIR]) - PIXELS[RED] / 2, None),
    "bands by position": (("--expression", "b3 - nir / b2"), PIXELS[BLUE] - PIXELS[NIR] / PIXELS[GREEN], None),
    "a band by position, another by name": (("--expression", "b2 - nir"), PIXELS[GREEN] - PIXELS[NIR], None),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas(scene: Path, out: Path, name: str) -> None:
    options, expected, label = FORMULAS[name]
    done = exported("--scene", scene, *options, *EXACT, "-o", out)
    assert done["dtype"] == "float32"
    assert label is None or done["bands"] == [label]
    values, valid = read(out)
    np.testing.assert_allclose(values[0], expected, rtol=2e-4 if label == "evi" else 2e-6, atol=1e-6)
    assert valid.all()


def test_without_data_a_formula_has_none(tmp_path: Path, out: Path) -> None:
    pixels = texture((2, 20, 20), "uint16")
    pixels[:, 5, 5], pixels[:, 6, 6] = 0, (7, 0)
    scene = write_scene(tmp_path / "scene.tif", pixels, names=("red", "nir"))
    exported("--scene", scene, "--process", "ndvi", "-o", out)
    values, valid = read(out)
    assert np.isnan(values[0, 5, 5])  # 0 / 0
    assert values[0, 6, 6] == -1
    assert (~valid).sum() == 1


def test_bands_in_the_order_asked_for(scene: Path, out: Path) -> None:
    done = exported("--scene", scene, "--bands", "nir,red,blue", "-o", out)
    assert done["bands"] == ["nir", "red", "blue"]
    with rasterio.open(out) as file:
        assert file.descriptions == ("nir", "red", "blue")
        np.testing.assert_array_equal(file.read(), PIXELS[[NIR, RED, BLUE]])


def test_band_names_given(tmp_path: Path, out: Path) -> None:
    pixels = texture((2, 20, 20))
    scene = write_scene(tmp_path / "scene.tif", pixels, names=("", ""))
    exported("--scene", scene, "--band-names", "nir,red", "--bands", "red", "-o", out)
    np.testing.assert_array_equal(read(out)[0], pixels[1:])


def _stretched(bands: list[int], low: float, high: float) -> np.ndarray:
    limits = np.percentile(PIXELS[bands], (low, high), axis=(1, 2))[..., np.newaxis, np.newaxis]
    return np.clip((PIXELS[bands] - limits[0]) / (limits[1] - limits[0]), 0, 1)


def test_stretch(scene: Path, out: Path) -> None:
    done = exported("--scene", scene, "--bands", "red,nir", "--stretch", "2,98", "-o", out)
    assert done["dtype"] == "uint8"
    _differ_by_rounding(read(out)[0], _stretched([RED, NIR], 2, 98) * 255)


def test_colour(scene: Path, out: Path) -> None:
    formula = "gamma RGB 1.3 saturation 1.2"
    done = exported(
        "--scene", scene, "--bands", "red,green,blue", "--stretch", "2,98", "--color", formula, "-o", out
    )  # fmt: skip
    assert done["dtype"] == "uint8"
    expected = _stretched([RED, GREEN, BLUE], 2, 98)
    for operation in parse_operations(formula):
        expected = np.clip(operation(expected), 0, 1)
    _differ_by_rounding(read(out)[0], expected * 255)


def _differ_by_rounding(values: np.ndarray, expected: np.ndarray) -> None:
    assert (np.abs(values - expected) <= 0.5 + 1e-2).all()


def test_an_index_packed_into_integers_behind_a_mask(tmp_path: Path, out: Path) -> None:
    pixels = texture((2, 20, 20), "uint16")
    pixels[:, 3, 4] = 0
    scene = write_scene(tmp_path / "scene.tif", pixels, names=("red", "nir"))
    exported("--scene", scene, "--process", "ndvi", "--dtype", "int16", "--scale", 0.0001, "-o", out)
    with rasterio.open(out) as file:
        assert (file.dtypes, file.scales, file.nodata) == (("int16",), (0.0001,), None)
    values, valid = read(out)
    assert not valid[3, 4]
    assert valid.sum() == 399
    red, nir = pixels.astype("f8")
    with np.errstate(invalid="ignore"):
        expected = (nir - red) / (nir + red) * 10000
    assert (np.abs(values[0] - expected)[valid] <= 0.5 + 1e-2).all()


def test_an_index_packed_around_an_offset_with_nodata(scene: Path, out: Path) -> None:
    packing = ("--dtype", "uint8", "--scale", 0.01, "--offset", -1, "--nodata", 255)
    exported("--scene", scene, "--process", "ndvi", *packing, "-o", out)
    with rasterio.open(out) as file:
        assert (file.scales, file.offsets, file.nodata) == ((0.01,), (-1,), 255)
        _differ_by_rounding(file.read(1), (NDVI + 1) * 100)


@pytest.mark.parametrize(("nodata", "beside"), [(0, 1), (7, 8), (255, 254)])
def test_a_valid_pixel_that_equals_nodata_steps_aside(tmp_path: Path, out: Path, nodata: int, beside: int) -> None:
    pixels = texture((1, 20, 20))
    pixels[0, 3, 4:9] = nodata
    scene = write_scene(tmp_path / "scene.tif", pixels)
    area = write_aoi(tmp_path / "area.json", *box(400000, 5599850, 400150, 5600000))
    exported("--scene", scene, "--aoi", area, "--nodata", nodata, *EXACT, "-o", out)
    values, valid = read(out)
    assert (values[0, 3, 4:9] == beside).all()
    assert valid[:15, :15].all()
    np.testing.assert_array_equal(values[0, :15, :15], np.where(pixels == nodata, beside, pixels)[0, :15, :15])


MASKS = {
    "values": ("3,8-10", lambda classes: np.isin(classes, (3, 8, 9, 10))),
    "bits": ("bits:1,3", lambda classes: (classes & 0b1010) != 0),
}


@pytest.mark.parametrize("kind", MASKS)
def test_a_mask_coarser_than_the_scene(tmp_path: Path, out: Path, kind: str) -> None:
    pixels = texture((2, 40, 60), "uint16")
    classes = np.random.default_rng(5).integers(0, 12, (1, 20, 30)).astype("uint8")
    write_scene(tmp_path / "red.tif", pixels[:1], names=("red",))
    write_scene(tmp_path / "nir.tif", pixels[1:], names=("nir",))
    write_scene(tmp_path / "scl.tif", classes, transform=UTM33 @ Affine.scale(2), names=("scl",))
    kinds = {"red": ["data"], "nir": ["data"], "scl": ["metadata"]}
    assets = {name: {"href": f"{name}.tif", "type": "image/tiff", "roles": roles} for name, roles in kinds.items()}
    item = write_item(tmp_path / "item.json", assets)
    values_option, masked = MASKS[kind]
    done = exported(
        "--scene", item, "--mask-asset", "scl", "--mask-values", values_option, *EXACT, "-o", out
    )  # fmt: skip
    assert done["bands"] == ["red", "nir"]
    values, valid = read(out)
    bad = masked(classes[0]).repeat(2, axis=0).repeat(2, axis=1)
    assert 100 < bad.sum() < 2300
    np.testing.assert_array_equal(valid, ~bad)
    np.testing.assert_array_equal(values[:, valid], pixels[:, valid])


def test_one_file_per_band_of_different_resolutions(tmp_path: Path, out: Path) -> None:
    red = write_scene(tmp_path / "S_B04.tif", texture((1, 40, 60), "uint16"))
    swir = write_scene(
        tmp_path / "S_B11.tif", texture((1, 20, 30), "uint16", seed=4), transform=UTM33 @ Affine.scale(2)
    )
    scene = f"swir16={swir},red={red}"
    done = exported("--scene", scene, *EXACT, "-o", out)
    assert (done["bands"], done["resolution"], done["scenes"]) == (["swir16", "red"], [10, 10], ["S"])
    values, _ = read(out)
    np.testing.assert_array_equal(values[1], texture((1, 40, 60), "uint16")[0])
    np.testing.assert_array_equal(values[0], texture((1, 20, 30), "uint16", seed=4)[0].repeat(2, 0).repeat(2, 1))
    coarse = exported("--scene", scene, "--bands", "swir16", *EXACT, "-o", tmp_path / "coarse.tif")
    assert coarse["resolution"] == [20, 20]


@pytest.mark.parametrize(
    ("dtypes", "common"),
    [
        (("uint8", "uint16"), "uint16"),
        (("uint8", "int16"), "int16"),
        (("uint16", "int16"), "int32"),
        (("uint16", "float32"), "float32"),
        (("int32", "float32"), "float64"),
    ],
)
def test_scenes_of_different_dtypes(tmp_path: Path, out: Path, dtypes: tuple[str, str], common: str) -> None:
    arguments: list[object] = []
    for number, dtype in enumerate(dtypes):
        shifted = UTM33 @ Affine.translation(20 * number, 0)
        path = write_scene(tmp_path / f"{dtype}.tif", texture((1, 20, 20), dtype), transform=shifted)
        arguments += ["--scene", path]
    done = exported(*arguments, *EXACT, "-o", out)
    assert done["dtype"] == common
    expected = np.concatenate([texture((1, 20, 20), dtype).astype(common) for dtype in dtypes], axis=2)
    np.testing.assert_array_equal(read(out)[0], expected)


@pytest.mark.parametrize("process", [(), ("--process", "ndvi")])
def test_scenes_before_and_after_sentinel_2_moved_its_zero(tmp_path: Path, out: Path, process: tuple) -> None:
    """Since processing baseline 04.00, 1000 is added to what is stored."""
    reflectance = texture((2, 20, 40), "uint16") // 10
    arguments: list[object] = []
    for number, shift in enumerate((0, 1000)):
        name = f"S2_{number}"
        pixels = reflectance[:, :, 20 * number : 20 * number + 20] + np.uint16(shift)
        write_scene(
            tmp_path / f"{name}.tif", pixels, transform=UTM33 @ Affine.translation(20 * number, 0), names=("red", "nir")
        )
        scaled = {"raster:scale": 0.0001, "raster:offset": -0.0001 * shift}
        bands = [{"name": band, "eo:common_name": band, **scaled} for band in ("red", "nir")]
        asset = {"href": f"{name}.tif", "type": "image/tiff", "roles": ["data"], "bands": bands}
        arguments += ["--scene", write_item(tmp_path / f"{name}.json", {"image": asset})]
    done = exported(*arguments, *process, *EXACT, "-o", out)
    assert done["dtype"] == "float32"
    expected = reflectance * 0.0001
    if process:
        expected = (expected[1:] - expected[:1]) / (expected[1:] + expected[:1])
    np.testing.assert_allclose(read(out)[0], expected, rtol=2e-4 if process else 1e-5, atol=1e-6)


def test_scenes_scaled_alike_stay_as_they_are_stored(tmp_path: Path, out: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", texture((1, 20, 20), "uint16"))
    with rasterio.open(scene, "r+") as file:
        file.scales, file.offsets = (0.0001,), (-0.1,)
    done = exported("--scene", scene, *EXACT, "-o", out)
    assert done["dtype"] == "uint16"
    with rasterio.open(out) as file:
        assert (file.scales, file.offsets) == ((0.0001,), (-0.1,))
        np.testing.assert_array_equal(file.read(), texture((1, 20, 20), "uint16"))
