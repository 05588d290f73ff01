"""Where a band, a mask or a whole scene has no data, and what stands for classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from cutline.export import export
from tests.support.cli import cutline, exported, write_item
from tests.support.gdalwarp import gdalwarp
from tests.support.scenes import UTM33, make_request, read, write_scene

EXACT = ("--resampling", "nearest")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.tif"


# A value of a mask that its file calls nodata still means "do not use".


@pytest.mark.parametrize("case", [(0, "0,3", {0, 3}), (1, "bits:0", {1, 3, 5}), (3, "3", {3})])
@pytest.mark.parametrize("stretch", [(), ("--stretch", "0,100")])
def test_a_masks_nodata_is_a_class_like_any_other(
    tmp_path: Path, out: Path, case: tuple[int, str, set[int]], stretch: tuple[str, ...]
) -> None:
    nodata, values, bad = case
    classes = np.arange(6, dtype="uint8").repeat(100).reshape(1, 20, 30)
    pixels = np.where(np.isin(classes, list(bad)), 5000, 100 + classes).astype("uint16")
    write_scene(tmp_path / "data.tif", pixels, names=("red",))
    write_scene(tmp_path / "scl.tif", classes, names=("scl",), nodata=nodata)
    assets = {name: {"href": f"{name}.tif", "type": "image/tiff", "roles": ["data"]} for name in ("data", "scl")}
    item = write_item(tmp_path / "item.json", assets)
    exported("--scene", item, "--mask-asset", "scl", "--mask-values", values, *stretch, *EXACT, "-o", out)
    read_values, valid = read(out)
    np.testing.assert_array_equal(valid, ~np.isin(classes[0], list(bad)))
    assert (read_values[0][valid].max() == 255) == bool(stretch)  # what is masked takes no part in the stretch


# A band without data where others have some.


def gappy(path: Path, dtype: str, nodata: float, square: slice = slice(20, 40)) -> np.ndarray:
    pixels = np.stack([np.full((60, 60), 1000), np.full((60, 60), 3000)]).astype(dtype)
    pixels[0, square, square] = nodata
    write_scene(path, pixels, names=("red", "nir"), nodata=nodata)
    return pixels


@pytest.mark.parametrize(("dtype", "nodata"), [("float32", -9999.0), ("uint16", 0), ("int16", -1), ("float32", np.nan)])
def test_a_formula_has_data_where_all_of_its_bands_have(tmp_path: Path, out: Path, dtype: str, nodata: float) -> None:
    pixels = gappy(tmp_path / "scene.tif", dtype, nodata)
    exported("--scene", tmp_path / "scene.tif", "--process", "ndvi", "--resolution", 7, "-o", out)
    values, valid = read(out)
    assert values[0][valid] == pytest.approx(0.5)
    inside = np.isnan(pixels[0]) if np.isnan(nodata) else pixels[0] == nodata
    assert 0 < (~valid).mean() < 2 * inside.mean()


@pytest.mark.parametrize("method", ["nearest", "bilinear", "cubic"])
@pytest.mark.parametrize(("dtype", "nodata"), [("uint16", 0), ("int16", -1)])
def test_gaps_of_a_band_are_copied_and_never_mixed(
    tmp_path: Path, out: Path, method: str, dtype: str, nodata: int
) -> None:
    gappy(tmp_path / "scene.tif", dtype, nodata)
    request = make_request(tmp_path / "scene.tif", resolution=7.0, resampling=method, crs="EPSG:32633")
    geobox = export(request, out, workers=1).plan.geobox
    values, valid = read(out)
    assert set(values[0][valid].tolist()) == {1000, nodata}
    assert set(values[1][valid].tolist()) == {3000}
    if method != "nearest":  # at the rim of a gap GDAL goes on as long as any tap is valid
        return
    left, bottom, right, top = geobox.bounds
    gdalwarp(
        ["-et", "0", "-te", *map(repr, (left, bottom, right, top)), "-tr", "7", "7", "-dstnodata", str(nodata)],
        [tmp_path / "scene.tif"], tmp_path / "gdal.tif",
    )  # fmt: skip
    with rasterio.open(tmp_path / "gdal.tif") as file:
        np.testing.assert_array_equal(values[:, valid], file.read()[:, valid])


def test_the_nodata_of_the_file_stays_nodata(tmp_path: Path, out: Path) -> None:
    pixels = gappy(tmp_path / "scene.tif", "uint16", 0)
    exported("--scene", tmp_path / "scene.tif", "--nodata", 0, *EXACT, "-o", out)
    np.testing.assert_array_equal(read(out)[0][:, :60, :60], pixels)


# Classes.


def paletted(path: Path) -> np.ndarray:
    classes = (np.indices((60, 60)).sum(axis=0) // 7 % 2 * 11).astype("uint8")
    with rasterio.open(
        path, "w", driver="GTiff", width=60, height=60, count=1, dtype="uint8", crs="EPSG:32633", transform=UTM33
    ) as file:
        file.write(classes, 1)
        file.colorinterp = [ColorInterp.palette]
        file.write_colormap(1, {0: (0, 0, 0), 11: (255, 0, 0)})
    return classes


def test_classes_are_never_mixed(tmp_path: Path, out: Path) -> None:
    paletted(tmp_path / "classes.tif")
    exported("--scene", tmp_path / "classes.tif", "--resolution", 7, "-o", out)
    values, valid = read(out)
    assert set(values[0][valid].tolist()) == {0, 11}
    refused = cutline("export", "--scene", tmp_path / "classes.tif", "--resampling", "cubic", "-o", out)
    assert refused.code == 2
    assert "palette" in refused.err


# What cannot hold, and what holds nothing.


def test_values_that_do_not_fit_are_told_of(tmp_path: Path, out: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", np.full((2, 30, 30), 3000, "uint16"), names=("red", "nir"))
    for options, told in (
        (("--dtype", "uint8"), "clipped"),
        (("--process", "ndvi", "--dtype", "uint8"), "rounded"),
        (("--dtype", "int32"), ""),
        (("--process", "ndvi", "--dtype", "int16", "--scale", "0.0001"), ""),
    ):
        warnings = exported("--scene", scene, *options, "-o", out)["warnings"]
        assert bool(warnings) == bool(told)
        assert told in " ".join(warnings)


def test_an_export_without_any_data_says_so(tmp_path: Path, out: Path) -> None:
    scene = write_scene(
        tmp_path / "scene.tif", np.zeros((1, 30, 30), "uint16"), nodata=0, transform=UTM33 @ Affine.scale(2)
    )
    assert any("no pixel" in warning for warning in exported("--scene", scene, "-o", out)["warnings"])
