"""Real imagery of every kind, once through everything. The files are not in this repository: without them, skipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rio_cogeo import cog_validate

from cutline.errors import CutlineError, InvalidScene, SourceUnavailable, UnsupportedCRS
from cutline.export import export
from cutline.imagery import parse_scene
from cutline.models.request import ExportRequest, MaskRequest
from cutline.process import expression_graph, named_graph
from tests.support.scenes import make_request, read

IMAGERY = Path(__file__).parents[2] / "shared/data/imagery"

pytestmark = pytest.mark.skipif(not IMAGERY.is_dir(), reason=f"{IMAGERY} is not there")

Check = Callable[[np.ndarray, np.ndarray], bool]


@dataclass(frozen=True)
class Case:
    """What to export, and what comes out: bands, dtype, the share of valid pixels, the range of the mean of each."""

    scenes: tuple[str, ...]
    """Files below the folder, ``name=file,…`` for one a band"""
    bands: tuple[str, ...]
    dtype: str
    valid: tuple[float, float]
    mean: tuple[float, float]
    asked: dict[str, Any] = field(default_factory=dict)
    check: Check = lambda values, valid: True


RGB = ("red", "green", "blue")
NDVI = {"process": named_graph("ndvi")}
STRETCH = {"stretch": (2.0, 98.0)}
ELKTON = "bands_landsat8_elkton/L8-B{}-Elkton-VA.tiff"
C2 = "bands_landsat_c2l2/LC08_L2SP_008059_20191201_20200825_02_T1_{}.TIF"
JAPAN = "bands_landsat8_japan/LC81070352015122LGN00_B{}.tif"
OVERLAP = "mosaic_landsat_overlap/"
PLANET = "planet_4band_u16/20170831_172754_101c_3"
TWO_DATES = (
    "sentinel2_two_dates/S2A_OPER_MSI_L2A_TL_ATOS_20220620T162319_A036527_T32TLS_N04.00_R60m_B01.jp2",
    "sentinel2_two_dates/S2B_OPER_MSI_L2A_TL_2BPS_20220618T135630_A027590_T32TLS_N04.00_R60m_B01.jp2",
)


def by_band(pattern: str, **bands: object) -> str:
    return ",".join(f"{name}={pattern.format(part)}" for name, part in bands.items())


def is_land_green(values: np.ndarray, valid: np.ndarray) -> bool:
    """Centre-pivot fields in a desert: much is bare, and some is very green."""
    return bool((values[0][valid] > 0.6).mean() > 0.1 and (values[0][valid] < 0.15).mean() > 0.3)


def has_a_blue_sea(values: np.ndarray, valid: np.ndarray) -> bool:
    red, _, blue = values[:, valid].astype(int)
    return bool((blue > red + 30).mean() > 0.3)


def meets_in_the_middle(values: np.ndarray, valid: np.ndarray) -> bool:
    """No stripe without data, and no step, where two files join."""
    middle = valid.shape[1] // 2
    inner = values[0][10:-10, middle - 20 : middle + 20]
    steps = np.abs(np.diff(inner, axis=1)).mean(axis=0)
    return bool(valid[10:-10, middle - 20 : middle + 20].all() and steps.max() < 3 * np.median(steps))


CASES = {
    "over 180, in its own zone": Case(
        ("antimeridian/cog_dateline.tif",), ("b1",), "uint16", (0.97, 1), (14e3, 16e3), {"resolution": 900.0}
    ),
    "over 180, in Mercator": Case(
        ("antimeridian/cog_dateline.tif",), ("b1",), "uint16", (0.85, 0.97), (14e3, 16e3),
        {"resolution": 1500.0, "crs": "EPSG:3857"}, lambda values, valid: valid.shape[1] < 300,
    ),
    "Landsat, one file a band": Case(
        (by_band(ELKTON, red=4, green=3, blue=2),), RGB, "uint8", (0.95, 1), (40, 90), STRETCH
    ),
    "an index of it": Case((by_band(ELKTON, red=4, nir=5),), ("ndvi",), "float32", (0.95, 1), (0.4, 0.5), NDVI),
    "two resolutions": Case(
        (by_band(ELKTON, pan=8, red=4),), ("pan", "red"), "uint16", (0.97, 1), (7e3, 8.1e3),
        check=lambda values, valid: valid.shape[0] > 330,
    ),
    "a collar without nodata": Case(
        (by_band(JAPAN, red=4, green=3, blue=2),), RGB, "uint8", (0.97, 1), (100, 140),
        {**STRETCH, "resolution": 1500.0}, lambda values, valid: (values[:, valid] == 0).mean() > 0.2,
    ),
    "a collar with nodata": Case(
        ("nodata_collar/LC08_L1TP_198029_20220331_20220406_02_T1_B2.TIF",), ("b1",), "uint16", (0.7, 0.85),
        (18e3, 19e3), {"resolution": 120.0}, lambda values, valid: values[0][valid].min() > 5000,
    ),
    "Collection 2": Case(
        (by_band(C2, red="SR_B4", green="SR_B3", blue="SR_B2"),), RGB, "uint8", (0.6, 0.75), (70, 100),
        {**STRETCH, "resolution": 900.0},
    ),
    "Collection 2 without clouds": Case(
        (by_band(C2, red="SR_B4", nir="SR_B5", qa="QA_PIXEL"),), ("ndvi",), "float32", (0.05, 0.1), (0.3, 0.5),
        {**NDVI, "mask": MaskRequest(asset="qa", bits=(0, 1, 3, 4))},
    ),
    "Landsat at 900 m": Case(
        (by_band("bands_landsat_utm17/{}.tif", red="red", green="green", blue="blue"),), RGB, "uint8", (0.6, 0.75),
        (30, 45), STRETCH,
    ),
    "Sentinel-2 in Egypt": Case(
        (by_band("bands_sentinel2_egypt/sentinel-b{}.tif", red="04", nir="08"),), ("ndvi",), "float32", (0.99, 1),
        (0.25, 0.35), NDVI, is_land_green,
    ),
    "a lidar DEM": Case(
        ("dem/DEM_BY23_2015_1000_0101.tif",), ("b1",), "float32", (0.99, 1), (31, 33),
        {"resolution": 4.0, "profile": "lerc"},
    ),
    "two DEMs side by side": Case(
        ("dem/dem1.tif", "dem/dem2.tif"), ("b1",), "float32", (0.97, 1), (900, 1000), {}, meets_in_the_middle
    ),
    "a drone's, with alpha": Case(
        ("drone_rgba/pix4d_alpha_nodata.tif",), RGB, "uint8", (0.8, 0.92), (50, 90), {"resolution": 2.0}
    ),
    "overlapping, without nodata": Case(
        tuple(f"{OVERLAP}lc8-utm-{number}.tif" for number in (1, 2, 3)), ("b1",), "uint16", (0.8, 0.9), (6e3, 7e3),
        {"resolution": 2400.0},
    ),
    "overlapping, in two CRSs": Case(
        tuple(f"{OVERLAP}mosaic_cog{number}.tif" for number in (1, 2, 3)), ("b1", "b2", "b3"), "uint8", (0.6, 0.8),
        (50, 90), {**STRETCH, "resolution": 1500.0, "mosaic": "mean", "crs": "EPSG:32618"},
    ),
    "four tiles of one picture, a CRS without a code": Case(
        tuple(f"mosaic_tiles_utm18/rgb{number}.tif" for number in (1, 2, 3, 4)), RGB, "uint8", (0.6, 0.7), (40, 75),
        {"resolution": 1500.0},
    ),
    "NAIP of two zones": Case(
        (
            "naip_4band_two_utm_zones/m_3607717_sw_18_1_20160620_subset.tif",
            "naip_4band_two_utm_zones/m_3607824_se_17_1_20160620_subset.tif",
        ),
        RGB, "uint8", (0.88, 0.95), (90, 120), {"bands": RGB, "profile": "webp", "resolution": 2.0},
    ),
    "nothing but nodata": Case(("odd/all-nodata.tif",), ("blue", "green", "red", "nir"), "uint16", (0, 0), (0, 0)),
    "scales that differ by band": Case(
        ("odd/cog_scale.tif",), ("b1", "b2"), "float32", (0.97, 1), (900, 2100),
        check=lambda values, valid: abs(float(values[0][valid].mean()) - 1000.49) < 0.01,
    ),
    "one of these": Case(
        ("odd/cog_scale.tif",), ("b1",), "int16", (0.97, 1), (4800, 5000), {"bands": ("b1",)}
    ),
    "float nodata": Case(("odd/float_raster_with_nodata.tif",), ("b1",), "float32", (0.4, 0.65), (0, 0.02)),
    "the world": Case(
        ("odd/world.rgb.tif",), RGB, "uint8", (1, 1), (100, 170), {"resolution": 2.0}, has_a_blue_sea
    ),
    "the world in Mercator": Case(
        ("odd/world.rgb.tif",), RGB, "uint8", (0.97, 1), (100, 175), {"crs": "EPSG:3857", "resolution": 2e5},
        has_a_blue_sea,
    ),
    "the world from above": Case(
        ("odd/world.rgb.tif",), RGB, "uint8", (0.7, 0.8), (90, 175), {"crs": "EPSG:3413", "resolution": 2e5},
        lambda values, valid: bool(valid[valid.shape[0] // 2].all()),  # across the pole
    ),
    "PlanetScope": Case(
        (PLANET + "B_AnalyticMS.tif",), RGB, "uint8", (0.55, 0.7), (40, 70),
        {**STRETCH, "band_names": ("blue", "green", "red", "nir"), "bands": RGB},
    ),
    "PlanetScope, visual": Case((PLANET + "b_Visual.tif",), RGB, "uint8", (0.97, 1), (50, 80)),
    "RapidEye": Case(
        ("rapideye/1056417_2017-03-08_RE3_3A_Visual_clip.tif",), RGB, "uint8", (0.97, 1), (45, 80), {"resolution": 20.0}
    ),
    "RGB": Case(("rgb_utm/RGB.byte.tif",), RGB, "uint8", (0.6, 0.7), (40, 75), {"resolution": 1500.0}),
    "RGBA, as JPEG": Case(
        ("rgb_utm/RGBA.byte.tif",), RGB, "uint8", (0.6, 0.7), (40, 75), {"resolution": 1500.0, "profile": "jpeg"}
    ),
    "two subsets": Case(
        ("rgbn_u8_5m/rgbn_suba.tif", "rgbn_u8_5m/rgbn_subb.tif"), (*RGB, "b4"), "uint8", (0.75, 0.85), (115, 135),
        {"resolution": 10.0},
    ),
    "true colour": Case(("sentinel2_tci/TCI.tif",), RGB, "uint8", (0.7, 0.78), (170, 185), {"resolution": 600.0}),
    "two dates, the first wins": Case(TWO_DATES, ("b1",), "uint16", (0.98, 1), (500, 560), {"resolution": 480.0}),
    "two dates, the highest": Case(
        TWO_DATES, ("b1",), "uint16", (0.98, 1), (1700, 1800), {"resolution": 480.0, "mosaic": "highest"}
    ),
}  # fmt: skip


def request_for(scenes: tuple[str, ...], asked: dict[str, Any]) -> ExportRequest:
    """Scenes named as on the command line."""
    named = []
    for scene in scenes:
        parts = [part.rpartition("=") for part in scene.split(",")]
        named.append(parse_scene(",".join(f"{name}{equals}{IMAGERY / file}" for name, equals, file in parts)))
    request = make_request("unused", **asked)
    return request.model_copy(update={"source": request.source.model_copy(update={"scenes": tuple(named)})})


@pytest.mark.parametrize("name", CASES)
def test_it_becomes_what_it_should(tmp_path: Path, name: str) -> None:
    case, out = CASES[name], tmp_path / "out.tif"
    done = export(request_for(case.scenes, case.asked), out, workers=1)
    valid_cog, errors, warnings = cog_validate(out, strict=True, quiet=True)
    assert valid_cog, errors + warnings
    values, valid = read(out)
    with rasterio.open(out) as file:
        assert file.descriptions == case.bands
        assert set(file.dtypes) == {case.dtype}
    low, high = case.valid
    assert low <= valid.mean() <= high
    for statistics in done.receipt.statistics:
        assert case.mean[0] <= statistics.mean <= case.mean[1]
    assert case.check(values, valid)


REFUSED: dict[str, tuple[str, dict[str, Any], type[CutlineError], str]] = {
    "no georeference": ("hyperspectral_envi/jasperRidge2_R198.img", {}, InvalidScene, "no georeference"),
    "an archive": ("hyperspectral_envi/tiny_scene.tar.gz", {}, InvalidScene, "gzip archive"),
    "ground control points": ("odd/cog_gcps.tif", {}, InvalidScene, "ground control points"),
    "Mars": ("odd/cog_hirise_mars.tif", {}, UnsupportedCRS, "not Earth's"),
    "no CRS": ("odd/rotated.tif", {}, InvalidScene, "coordinate reference system"),
    "cut short": ("odd/corrupt.tif", {}, SourceUnavailable, r"tile \(0, 0\): scene corrupt"),
    "a band that is not there": (
        "rgb_utm/RGB.byte.tif", {"process": expression_graph("nir - red")}, CutlineError, "red, green, blue"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_by_name(tmp_path: Path, name: str) -> None:
    scene, asked, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        export(request_for((scene,), asked), tmp_path / "out.tif", workers=1)
    assert not (tmp_path / "out.tif").exists()
