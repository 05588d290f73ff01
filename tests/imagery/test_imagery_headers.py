"""What a file's header becomes: bands, validity, data types, times, and refusals by name."""

from __future__ import annotations

import datetime as dt
import math
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC
from rasters import UTM33, describe, make_raster, only, stack

from cutline.errors import CutlineError, InvalidScene, TooLarge, UnsupportedCRS
from cutline.imagery import header, open_asset
from cutline.models.scene import Scene


def bands_of(scene: Scene) -> list[str]:
    return [band.name for band in scene.bands]


def test_a_scene_is_what_its_header_says(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "east.tif", tiled=True, blockxsize=16, blockysize=16, overviews=(2, 4))
    scene = only(path)
    asset = scene.assets["image"]
    assert scene.id == "east"
    assert asset.href == str(path)
    assert (asset.driver, asset.crs, asset.shape, asset.count, asset.dtype) == (
        "GTiff", "EPSG:32633", (40, 60), 1, "uint16",
    )  # fmt: skip
    assert Affine(*asset.transform) == UTM33
    assert asset.overviews == (2, 4)
    assert asset.validity == "all"
    assert bands_of(scene) == ["b1"]
    assert Scene.model_validate_json(scene.model_dump_json()) == scene


def test_an_overview_is_opened_by_its_index(tmp_path: Path) -> None:
    asset = only(make_raster(tmp_path / "a.tif", overviews=(2, 4))).assets["image"]
    shapes = [open_asset(asset).shape, open_asset(asset, overview=0).shape, open_asset(asset, overview=1).shape]
    assert shapes == [(40, 60), (20, 30), (10, 15)]


def test_ids_are_unique_and_in_the_users_order(tmp_path: Path) -> None:
    paths = []
    for folder in ("x", "y", "z"):
        (tmp_path / folder).mkdir()
        paths.append(make_raster(tmp_path / folder / "a.tif"))
    assert [scene.id for scene in describe(*paths)] == ["a", "a-2", "a-3"]


# --- names


@pytest.mark.parametrize(
    ("count", "colors", "descriptions", "names"),
    [
        (1, (), (), ["b1"]),
        (3, ("red", "green", "blue"), (), ["red", "green", "blue"]),
        # A fourth band of an RGB file is often near infrared, and often not.
        (4, ("red", "green", "blue", "undefined"), (), ["red", "green", "blue", "b4"]),
        (4, ("red", "green", "blue", "alpha"), (), ["red", "green", "blue"]),
        (2, ("alpha", "gray"), (), ["b2"]),
        (2, ("gray", "undefined"), ("Near Infrared", "SWIR-1"), ["nir", "swir16"]),
        (2, ("gray", "undefined"), ("B04", "soil moisture (%)"), ["B04", "soil_moisture"]),
        (2, ("gray", "undefined"), ("red", "Red"), ["b1", "b2"]),
        (3, ("red", "green", "blue"), ("", "Green", ""), ["red", "green", "blue"]),
    ],
)
def test_band_names(
    tmp_path: Path, count: int, colors: tuple[str, ...], descriptions: tuple[str, ...], names: list[str]
) -> None:
    path = make_raster(
        tmp_path / "a.tif",
        pixels=stack(count),
        colors=colors,
        descriptions=descriptions,
        alpha="yes" if "alpha" in colors else "no",
    )
    assert bands_of(only(path)) == names


def test_colour_interpretations_that_gdal_3_10_knows(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", pixels=stack(2), colors=("rededge", "nir"))
    assert bands_of(only(path)) == ["rededge", "nir"]


def test_names_given_by_the_user(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", pixels=stack(2), descriptions=("x", "y"))
    assert bands_of(only(path, band_names=("nir", "red"))) == ["nir", "red"]
    with pytest.raises(InvalidScene, match="2 bands, but 3 names") as refused:
        only(path, band_names=("nir", "red", "blue"))
    assert refused.value.pointer == "/source/band_names"
    with pytest.raises(InvalidScene, match="'nir' was given twice"):
        only(path, band_names=("nir", "nir"))


# --- validity


@pytest.mark.parametrize(
    ("dtype", "nodata", "validity", "held"),
    [
        ("uint16", None, "all", None),
        ("uint16", 0, "nodata", 0.0),
        ("uint8", 255, "nodata", 255.0),
        ("int16", -9999, "nodata", -9999.0),
        ("float32", -9999.005859375, "nodata", -9999.005859375),
        ("float32", -3.4028234663852886e38, "nodata", -3.4028234663852886e38),
        ("float64", 1e300, "nodata", 1e300),
    ],
)
def test_nodata(tmp_path: Path, dtype: str, nodata: float | None, validity: str, held: float | None) -> None:
    asset = only(make_raster(tmp_path / "a.tif", pixels=stack(1, dtype), nodata=nodata)).assets["image"]
    assert (asset.validity, asset.nodata) == (validity, held)


@pytest.mark.parametrize("nodata", [-9999.0, 256.0, 1.5, math.nan])
def test_nodata_that_no_byte_can_hold_marks_nothing(nodata: float) -> None:
    assert header.fitted(nodata, "uint8") is None


def test_nan_nodata_survives_json(tmp_path: Path) -> None:
    scene = only(make_raster(tmp_path / "a.tif", pixels=stack(2, "float32"), nodata=math.nan))
    again = Scene.model_validate_json(scene.model_dump_json()).assets["image"]
    assert again.validity == "nodata"
    assert again.nodata is not None
    assert math.isnan(again.nodata)


def test_alpha_says_more_than_nodata(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", pixels=stack(4), colors=("red", "green", "blue", "alpha"), nodata=0)
    asset = only(path).assets["image"]
    assert (asset.validity, asset.alpha, asset.count) == ("alpha", 4, 4)


def test_a_mask_inside_the_file(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", pixels=stack(3), mask=np.full((40, 60), 255, np.uint8))
    assert only(path).assets["image"].validity == "mask"


def test_a_mask_beside_the_file_counts_and_is_part_of_the_identity(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", pixels=stack(3))
    alone = only(path).assets["image"]
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="NO"), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(np.full((40, 60), 255, np.uint8))
    assert (tmp_path / "a.tif.msk").exists()
    masked = only(path).assets["image"]
    assert (alone.validity, masked.validity) == ("all", "mask")
    assert masked.identity is not None
    assert "+" in masked.identity


def test_a_sidecar_that_is_no_tiff_is_refused(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif")
    (tmp_path / "a.tif.ovr").write_text("<VRTDataset/>")
    with pytest.raises(InvalidScene, match="is not a TIFF"):
        only(path)


# --- scale, offset, time, identity


def test_scale_and_offset_are_the_files_own(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", pixels=stack(2, "int16"), scales=(1e-4, 1e-3), offsets=(-0.1, 5.0))
    assert [(band.scale, band.offset) for band in only(path).bands] == [(1e-4, -0.1), (1e-3, 5.0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2017:08:31 17:27:54", dt.datetime(2017, 8, 31, 17, 27, 54, tzinfo=dt.UTC)),
        ("2017-08-31T17:27:54Z", dt.datetime(2017, 8, 31, 17, 27, 54, tzinfo=dt.UTC)),
        ("yesterday", None),
    ],
)
def test_datetime(tmp_path: Path, text: str, expected: dt.datetime | None) -> None:
    assert only(make_raster(tmp_path / "a.tif", tags={"TIFFTAG_DATETIME": text})).datetime == expected


def test_identity_changes_with_the_content(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif")
    before = only(path).assets["image"].identity
    os.utime(path, ns=(1, 1))
    assert only(path).assets["image"].identity not in (before, None)


# --- refusals


def make_gcps(path: Path) -> Path:
    points = [GroundControlPoint(row, col, 15 + col / 1e3, 50 - row / 1e3) for row in (0, 40) for col in (0, 60)]
    profile = {"driver": "GTiff", "height": 40, "width": 60, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, gcps=points, crs="EPSG:4326"):
        return path


def make_rpcs(path: Path) -> Path:
    coefficients = [1.0, *[0.0] * 19]
    rpcs = RPC(
        height_off=0, height_scale=1, lat_off=50, lat_scale=1, line_den_coeff=coefficients,
        line_num_coeff=coefficients, line_off=0, line_scale=1, long_off=15, long_scale=1,
        samp_den_coeff=coefficients, samp_num_coeff=coefficients, samp_off=0, samp_scale=1,
    )  # fmt: skip
    profile = {"driver": "GTiff", "height": 40, "width": 60, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, rpcs=rpcs):
        return path


def truncated(path: Path) -> Path:
    path.write_bytes(make_raster(path).read_bytes()[:100])
    return path


def text(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


REFUSALS = {
    "no georeference": (lambda p: make_raster(p, crs=None, transform=Affine.identity()), "no georeference at all"),
    "no geotransform": (lambda p: make_raster(p, transform=Affine.identity()), "no georeference at all"),
    "ground control points": (make_gcps, "ground control points only"),
    "rpcs": (make_rpcs, "RPCs only"),
    "no crs": (lambda p: make_raster(p, crs=None), "does not say its coordinate reference system"),
    "complex": (lambda p: make_raster(p, pixels=stack(1, "complex64")), "data type complex64 is not supported"),
    "int64": (lambda p: make_raster(p, pixels=stack(1, "int64")), "data type int64 is not supported"),
    "alpha alone": (lambda p: make_raster(p, pixels=stack(1), colors=("alpha",)), "no other"),
    "flat pixels": (lambda p: make_raster(p, transform=Affine(10, 0, 4e5, 10, 0, 5e6)), "no area"),
    "metres as degrees": (lambda p: make_raster(p, crs="EPSG:4326"), "beyond the poles"),
    "truncated": (truncated, "damaged"),
    "missing": (lambda p: p, "there is no such file"),
    "a folder": (lambda p: p.mkdir() or p, "it is a folder"),
    "empty": (lambda p: text(p, ""), "it is empty"),
    "a web page": (lambda p: text(p, "<html>"), "it is XML"),
    "a picture": (lambda p: text(p, b"\x89PNG\r\n\x1a\n"), "a PNG picture"),
    "hdf5": (lambda p: text(p, b"\x89HDF\r\n\x1a\n"), "HDF5 or NetCDF"),
    "noise": (lambda p: text(p, b"\x01\x02\x03\x04"), "its format is not known"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_by_name(tmp_path: Path, case: str) -> None:
    make, cause = REFUSALS[case]
    good = make_raster(tmp_path / "good.tif")
    bad = make(tmp_path / "bad.tif")
    with pytest.raises(InvalidScene, match=cause) as caught:
        describe(good, bad)
    assert "bad.tif" in caught.value.message
    assert caught.value.pointer == "/source/scenes/1"


@pytest.mark.parametrize(
    ("crs", "cause"),
    [
        ("+proj=eqc +R=3396190 +units=m", "not Earth's: the body has a radius of 3,396 km"),
        ("ESRI:104903", "not Earth's"),  # the Moon
        ('LOCAL_CS["site grid",UNIT["metre",1]]', "not tied to Earth"),
    ],
)
def test_a_crs_that_is_not_earths(tmp_path: Path, crs: str, cause: str) -> None:
    path = make_raster(tmp_path / "a.tif", crs=crs)
    with pytest.raises(UnsupportedCRS, match=cause):
        only(path)


def test_nodata_that_differs_between_bands_is_refused() -> None:
    class Bands:
        mask_flag_enums = ((),)
        nodatavals = (0.0, 255.0)
        dtypes = ("uint8", "uint8")

    with pytest.raises(InvalidScene, match=r"different nodata values \(0, 255\)"):
        header._validity(Bands(), None)


def test_a_header_that_declares_more_than_there_can_be(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tif"
    profile = {"driver": "GTiff", "height": 2_000_000, "width": 2_000_000, "count": 3, "dtype": "uint8"}
    tiles = {"tiled": True, "blockxsize": 4096, "blockysize": 4096, "sparse_ok": True, "bigtiff": "yes"}
    with rasterio.open(path, "w", **profile, **tiles, crs="EPSG:32633", transform=UTM33):
        pass
    with pytest.raises(TooLarge, match=r"declares 12\.0 TB"):
        only(path)


def test_a_block_larger_than_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tif"
    profile = {"driver": "GTiff", "height": 30_000, "width": 50_000, "count": 1, "dtype": "uint8"}
    tiles = {"tiled": True, "blockxsize": 32768, "blockysize": 46080, "compress": "deflate", "sparse_ok": True}
    with rasterio.open(path, "w", **profile, **tiles, crs="EPSG:32633", transform=UTM33):
        pass
    with pytest.raises(TooLarge, match=r"blocks takes 1\.4 GiB"):
        only(path)


def test_overviews_that_metadata_sends_elsewhere(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif")
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(tmp_path / "secret.vrt"))
    with pytest.raises(InvalidScene, match="OVERVIEW_FILE"):
        only(path)


def test_errors_keep_their_family() -> None:
    assert all(issubclass(family, CutlineError) for family in (InvalidScene, UnsupportedCRS, TooLarge))


# --- other formats


def test_envi_of_198_bands(tmp_path: Path) -> None:
    pixels = np.arange(198, dtype=np.int16)[:, None, None] * np.ones((1, 8, 9), np.int16)
    path = make_raster(tmp_path / "cube.img", pixels=pixels, driver="ENVI", interleave="bil")
    wavelengths = ", ".join(f"{400 + 10 * band}" for band in range(198))
    with (tmp_path / "cube.hdr").open("a") as file:
        file.write(f"wavelength units = Nanometers\nwavelength = {{ {wavelengths} }}\n")
    scene = only(path)
    assert scene.assets["image"].driver == "ENVI"
    assert bands_of(scene) == [f"b{band}" for band in range(1, 199)]
    assert [band.wavelength for band in scene.bands[:2]] == pytest.approx([0.4, 0.41])
    assert open_asset(scene.assets["image"]).read(198)[0, 0] == 197


def test_envi_that_is_truncated(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "cube.img", driver="ENVI", pixels=stack(3))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InvalidScene, match="it is truncated: its header declares 7,200 bytes, but there are 5,000"):
        only(path)


def test_envi_without_its_header(tmp_path: Path) -> None:
    with pytest.raises(InvalidScene, match=r"its header cube\.hdr is not beside it"):
        only(text(tmp_path / "cube.dat", b"\x00" * 100))


def test_an_envi_header_named_for_the_data(tmp_path: Path) -> None:
    make_raster(tmp_path / "cube.img", driver="ENVI")
    with pytest.raises(InvalidScene, match="name the data file"):
        only(tmp_path / "cube.hdr")


def test_jpeg2000(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.jp2", driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")
    scene = only(path)
    assert (scene.assets["image"].driver, scene.assets["image"].crs) == ("JP2OpenJPEG", "EPSG:32633")
    assert open_asset(scene.assets["image"]).read(1)[0, 1] == 2


def test_the_first_bytes_decide_not_the_suffix(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif").rename(tmp_path / "a.jp2")
    assert only(path).assets["image"].driver == "GTiff"


# --- one file per band


def test_one_file_per_band(tmp_path: Path) -> None:
    files = {
        "red": make_raster(tmp_path / "LC08_2020_SR_B4.tif"),
        "pan": make_raster(tmp_path / "LC08_2020_SR_B8.tif", transform=UTM33 @ Affine.scale(0.5)),
    }
    scene = only(files)
    assert scene.id == "LC08_2020_SR"
    assert [(band.name, band.asset, band.index) for band in scene.bands] == [("red", "red", 1), ("pan", "pan", 1)]
    assert scene.assets["pan"].transform[0] == 5.0


def test_a_file_of_several_bands_is_no_single_band(tmp_path: Path) -> None:
    with pytest.raises(InvalidScene, match="has 3 bands; it must have one"):
        only({"red": make_raster(tmp_path / "a.tif", pixels=stack(3))})
