"""Pixels are what GDAL's exact transform gives, whatever the tile, the number of workers and the area asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import Transformer

from cutline.export import export
from cutline.grid import level_shapes
from cutline.models.grid import Geobox
from cutline.placement import pixel_scale
from tests.support.gdalwarp import gdalwarp
from tests.support.scenes import UTM32, UTM33, make_request, read, texture, write_scene

CRS_PAIRS = {
    "utm to web mercator": ("EPSG:32633", UTM33, "EPSG:3857", 14.0),
    "utm to the next zone": ("EPSG:32633", UTM33, "EPSG:32632", 10.0),
    "utm to degrees": ("EPSG:32633", UTM33, "EPSG:4326", 0.0001),
    "degrees to utm": ("EPSG:4326", Affine(0.0001, 0, 13.0, 0, -0.0001, 50.0), "EPSG:32633", 9.0),
    "polar to degrees": ("EPSG:3413", Affine(50, 0, 700000.0, 0, -50, -1500000.0), "EPSG:4326", 0.0007),
    "New Zealand to web mercator": ("EPSG:2193", Affine(5, 0, 1600000.0, 0, -5, 5200000.0), "EPSG:3857", 6.0),
    "the same": ("EPSG:32633", UTM33, "EPSG:32633", 7.0),
}


METHODS = ("nearest", "bilinear", "cubic")
KINDS = [(pair, method, "uint16") for pair in CRS_PAIRS for method in METHODS] + [
    # Where pixels come from has nothing to do with what they are.
    ("utm to web mercator", method, dtype)
    for dtype in ("uint8", "float32")
    for method in METHODS
]


@pytest.mark.parametrize(("pair", "method", "dtype"), KINDS)
def test_pixels_are_gdals_exact_ones(tmp_path: Path, pair: str, method: str, dtype: str) -> None:
    crs, transform, target, resolution = CRS_PAIRS[pair]
    pixels = texture((2, 130, 150), dtype)
    scene = write_scene(tmp_path / "scene.tif", pixels, crs=crs, transform=transform)
    out = tmp_path / "out.tif"
    done = export(make_request(scene, crs=target, resolution=resolution, resampling=method), out, workers=1)
    geobox = done.plan.geobox
    scale = pixel_scale(next(iter(done.plan.scenes[0].assets.values())), geobox)
    expected, expected_valid = _oracle(scene, tmp_path / "oracle.tif", geobox, method, scale)
    values, valid = read(out)
    inner = _away_from_edges(expected_valid)
    assert inner.sum() > 5000
    assert valid[inner].all()
    source = _source_coordinates(geobox, crs, transform)
    if method == "nearest":
        decided = inner & _off_the_edges(source)
        np.testing.assert_array_equal(values[:, decided], expected[:, decided])
    else:
        differs = np.abs(values.astype("f8") - expected.astype("f8"))
        assert (differs <= _allowed(source, pixels))[:, inner].all()


@pytest.mark.parametrize("pair", ["utm to web mercator", "utm to the next zone", "degrees to utm", "the same"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("zoom", [0.2, 1.4, 3.1, 4.9])
def test_pixels_stay_exact_when_zooming(tmp_path: Path, pair: str, method: str, zoom: float) -> None:
    """In, by interpolating; out, by kernels as wide as the output pixels."""
    crs, transform, target, resolution = CRS_PAIRS[pair]
    edge = 60 if zoom < 1 else round(150 * zoom)
    pixels = texture((1, edge, edge + 20), "uint16")
    scene = write_scene(tmp_path / "scene.tif", pixels, crs=crs, transform=transform)
    out = tmp_path / "out.tif"
    done = export(make_request(scene, crs=target, resolution=resolution * zoom, resampling=method), out, workers=1)
    geobox = done.plan.geobox
    scale = pixel_scale(next(iter(done.plan.scenes[0].assets.values())), geobox)
    expected, expected_valid = _oracle(scene, tmp_path / "oracle.tif", geobox, method, scale)
    values, valid = read(out)
    off_the_edges = _off_the_edges(_source_coordinates(geobox, crs, transform))
    np.testing.assert_array_equal(valid[off_the_edges], expected_valid[off_the_edges])
    inner = _away_from_edges(expected_valid)
    assert inner.sum() > 5000
    if method == "nearest":
        inner &= off_the_edges
    differs = np.abs(values.astype("f8") - expected.astype("f8"))[:, inner]
    assert differs.max() <= (0 if method == "nearest" else 1)


def _oracle(
    scene: Path, path: Path, geobox: Geobox, method: str, scale: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    left, bottom, right, top = geobox.bounds
    rows, cols = geobox.shape
    # Left to itself, GDAL takes the widening of the kernel from the window it happens to work on.
    x_scale, y_scale = (1 if ratio >= 0.95 else ratio for ratio in scale)
    gdalwarp(
        ["-et", "0", "-r", {"nearest": "near"}.get(method, method), "-t_srs", geobox.crs, "-dstalpha", "-overwrite",
         "-wo", f"XSCALE={x_scale!r}", "-wo", f"YSCALE={y_scale!r}",
         "-te", *map(repr, (left, bottom, right, top)), "-ts", str(cols), str(rows)],
        [scene], path,
    )  # fmt: skip
    with rasterio.open(path) as file:
        *values, alpha = file.read()
    return np.array(values), alpha > 0


def _away_from_edges(valid: np.ndarray) -> np.ndarray:
    """Valid with all neighbours within 4 pixels: there every tap of every kernel has data."""
    padded = np.pad(valid, 4)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (9, 9))
    return windows.all(axis=(2, 3))


def _source_coordinates(geobox, crs: str, transform: Affine) -> tuple[np.ndarray, np.ndarray]:
    rows, cols = np.mgrid[: geobox.shape[0], : geobox.shape[1]] + 0.5
    x, y = geobox.transform @ (cols, rows)
    x, y = Transformer.from_crs(geobox.crs, crs, always_xy=True).transform(x, y)
    return ~transform @ (x, y)


def _off_the_edges(source: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Where the source point is more than 1/1000 px from the border between two pixels."""
    return np.minimum(*(np.abs(axis - np.round(axis)) for axis in source)) > 1e-3


def _allowed(source: tuple[np.ndarray, np.ndarray], pixels: np.ndarray) -> np.ndarray:
    """One count, or a 1024th of the range of the 4x4 source pixels around."""
    padded = np.pad(pixels.astype("f8"), ((0, 0), (2, 2), (2, 2)), "edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2))
    local = around.max(axis=(3, 4)) - around.min(axis=(3, 4))
    col, row = (np.clip(axis.astype(int), 0, size - 1) for axis, size in zip(source, pixels.shape[:0:-1], strict=True))
    return np.maximum(0.0 if pixels.dtype.kind == "f" else 1.0, local[:, row, col] / 1024)


@pytest.fixture(scope="module")
def two_scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("scenes")
    east = texture((3, 500, 520), "uint8")
    east[:, :80, :200] = 0  # a collar
    return (
        write_scene(folder / "east.tif", east, nodata=0),
        write_scene(
            folder / "west.tif", texture((3, 500, 560), "uint8", seed=3), crs="EPSG:32632", transform=UTM32, nodata=0
        ),
    )


def _polygon(*points: tuple[float, float], crs: str = "EPSG:32633") -> dict:
    to_lonlat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform
    return shapely.geometry.mapping(shapely.MultiPolygon([shapely.Polygon([to_lonlat(*point) for point in points])]))


LEFT = ((400300, 5595300), (403030, 5595800), (402900, 5599700), (400700, 5599500), (399500, 5597000))
RIGHT = ((403030, 5595800), (405100, 5595500), (404900, 5599000), (402900, 5599700))
SECOND_HALF = ((401500, 5595500), (404000, 5595800), (404000, 5599000), (401000, 5599500))


@pytest.mark.parametrize("resampling", ["nearest", "cubic"])
def test_tiles_and_workers_leave_no_trace(tmp_path: Path, two_scenes: tuple[Path, Path], resampling: str) -> None:
    request = make_request(*two_scenes, aoi=_polygon(*LEFT), crs="EPSG:3857", resolution=5.0, resampling=resampling)
    outputs = []
    for edge, workers in ((512, 1), (512, 2), (1024, 1), (4096, 1)):
        out = tmp_path / f"{edge}-{workers}.tif"
        done = export(request, out, edge=edge, workers=workers)
        levels = len(level_shapes(done.plan.geobox.shape))
        outputs.append([read(out, level) for level in range(levels)])
    assert len(outputs[0]) > 2
    for other in outputs[1:]:
        for (values, valid), (other_values, other_valid) in zip(outputs[0], other, strict=True):
            np.testing.assert_array_equal(valid, other_valid)
            np.testing.assert_array_equal(values, other_values)


@pytest.mark.parametrize("resampling", ["nearest", "bilinear", "cubic", "average"])
def test_neighbours_share_borders_but_no_pixel_and_overlaps_agree(
    tmp_path: Path, two_scenes: tuple[Path, Path], resampling: str
) -> None:
    made = {}
    for name, corners in (("left", LEFT), ("right", RIGHT), ("second", SECOND_HALF)):
        request = make_request(
            *two_scenes, aoi=_polygon(*corners), crs="EPSG:3857", resolution=15.0, resampling=resampling
        )
        geobox = export(request, tmp_path / f"{name}.tif", workers=1).plan.geobox
        made[name] = (geobox, *read(tmp_path / f"{name}.tif"))
    assert not _shared(made["left"], made["right"])[2].any()
    for name in ("left", "right"):
        one, other, both = _shared(made[name], made["second"])
        assert both.sum() > 1000
        np.testing.assert_array_equal(one[:, both], other[:, both])


def _shared(*made: tuple[Geobox, np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The values of two exports where their rectangles on the lattice overlap, and where both have a pixel."""
    top, left = (max(getattr(geobox, corner) for geobox, _, _ in made) for corner in ("row", "col"))
    bottom = min(geobox.row + geobox.shape[0] for geobox, _, _ in made)
    right = min(geobox.col + geobox.shape[1] for geobox, _, _ in made)
    within = [
        np.s_[..., top - geobox.row : max(top, bottom) - geobox.row, left - geobox.col : max(left, right) - geobox.col]
        for geobox, _, _ in made
    ]
    (_, one, here), (_, other, there) = made
    return one[within[0]], other[within[1]], here[within[0]] & there[within[1]]


@pytest.mark.parametrize(("dtype", "resampling"), [("uint8", "bilinear"), ("uint16", "nearest"), ("float32", "cubic")])
@pytest.mark.parametrize("like", [False, True])
def test_an_overview_is_the_level_below_halved(tmp_path: Path, dtype: str, resampling: str, like: bool) -> None:
    pixels = texture((2, 1301, 1407), dtype)
    pixels[:, 300:500, 700:1100] = 0
    scene = write_scene(tmp_path / "scene.tif", pixels, nodata=0)
    output: dict = {"crs": "EPSG:32633", "resolution": 10.0}
    if like:
        from cutline.imagery.like import grid_of

        output = {"geobox": grid_of(str(scene))}
    out = tmp_path / "out.tif"
    done = export(make_request(scene, resampling=resampling, **output), out, workers=1, edge=512)
    shapes = level_shapes(done.plan.geobox.shape)
    assert (done.plan.geobox.shape == (1301, 1407)) == like
    for level in range(1, len(shapes)):
        finer, finer_valid = read(out, level - 1)
        coarser, coarser_valid = read(out, level)
        assert coarser.shape[1:] == shapes[level]
        expected, expected_valid = _halved(finer, finer_valid, "nearest" if resampling == "nearest" else "average")
        np.testing.assert_array_equal(coarser_valid, expected_valid)
        np.testing.assert_array_equal(coarser[:, coarser_valid], expected[:, expected_valid])


def _halved(values: np.ndarray, valid: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Slowly and plainly."""
    if method == "nearest":
        return values[:, ::2, ::2], valid[::2, ::2]
    pad = ((0, values.shape[1] % 2), (0, values.shape[2] % 2))
    known = np.ma.masked_array(np.pad(values.astype("f8"), ((0, 0), *pad)), mask=False)
    known.mask = np.broadcast_to(np.pad(~valid, pad, constant_values=True), known.shape)
    bands, rows, cols = known.shape
    mean = known.reshape(bands, rows // 2, 2, cols // 2, 2).mean(axis=(2, 4))
    if values.dtype.kind != "f":
        mean = np.floor(mean + 0.5)
    return mean.filled(0).astype(values.dtype), ~mean.mask[0]
