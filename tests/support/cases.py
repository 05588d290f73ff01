"""Random scenes on random output grids, for tests of what must hold for every export.

A Case is drawn whole (``cases()``) and prints as what it is, so that a failure can be read and repeated:
``Case(...).scene(folder)`` writes its file, ``Case(...).geobox`` is the grid around it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from affine import Affine
from hypothesis import settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.enums import ColorInterp

from cutline.grid import covering
from cutline.imagery import environment, open_asset
from cutline.imagery.header import read_header
from cutline.kernel import Image, resample
from cutline.models.grid import Geobox
from cutline.models.scene import Asset
from cutline.placement import pixel_scale, pixel_size, wrap_width


class Pair(NamedTuple):
    """Where a source lies, and a CRS to put it in."""

    source: str
    target: str
    pixel: float
    """Side of a source pixel, in units of its CRS"""
    at: tuple[float, float]
    """The source's middle, in its CRS"""


PAIRS = {
    "the same utm": Pair("EPSG:32633", "EPSG:32633", 10.0, (450_000, 5_560_000)),
    "utm to web mercator": Pair("EPSG:32633", "EPSG:3857", 10.0, (450_000, 5_560_000)),
    "utm to degrees": Pair("EPSG:32633", "EPSG:4326", 60.0, (450_000, 5_560_000)),
    "degrees to utm": Pair("EPSG:4326", "EPSG:32633", 1e-3, (14.0, 50.0)),
    "web mercator to the next utm": Pair("EPSG:3857", "EPSG:32632", 15.0, (1_560_000, 6_450_000)),
    "utm to the next": Pair("EPSG:32633", "EPSG:32632", 30.0, (300_000, 5_560_000)),
    "utm to the arctic": Pair("EPSG:32633", "EPSG:3413", 30.0, (520_000, 8_700_000)),
    "utm to the antarctic": Pair("EPSG:32733", "EPSG:3031", 30.0, (520_000, 1_700_000)),
    "arctic to degrees": Pair("EPSG:3413", "EPSG:4326", 500.0, (-1_200_000, -1_500_000)),
    "antarctic to utm": Pair("EPSG:3031", "EPSG:32733", 100.0, (300_000, 1_500_000)),
    "New Zealand to web mercator": Pair("EPSG:2193", "EPSG:3857", 5.0, (1_600_000, 5_200_000)),
    "New Zealand to degrees": Pair("EPSG:2193", "EPSG:4326", 100.0, (1_600_000, 5_200_000)),
    "utm 60 over 180 to Pacific Mercator": Pair("EPSG:32760", "EPSG:3832", 100.0, (818_000, 8_120_000)),
    "utm 1 over 180 to degrees": Pair("EPSG:32701", "EPSG:4326", 60.0, (182_000, 8_120_000)),
    "degrees over 180 to Pacific Mercator": Pair("EPSG:4326", "EPSG:3832", 2e-3, (180.0, -17.0)),
    "degrees over 180 to utm 60": Pair("EPSG:4326", "EPSG:32760", 2e-3, (180.0, -17.0)),
    "degrees before -180 to degrees": Pair("EPSG:4326", "EPSG:4326", 1e-3, (-179.95, 17.0)),
    "web mercator before 180 to degrees": Pair("EPSG:3857", "EPSG:4326", 50.0, (20_035_000, 2_000_000)),
}
"""Every output that reaches the antimeridian goes on to the right of it."""

DTYPES = ("uint8", "int16", "uint16", "int32", "float32", "float64")
METHODS = ("nearest", "bilinear", "cubic", "average", "mode")
GAPS = ("none", "speckles", "stripes", "bands apart", "mask", "alpha")
"""What of a source has no data, and how its file says so: nodata, in stripes, in each band elsewhere, or otherwise"""
BY_NODATA = {"speckles", "stripes", "bands apart"}
NODATA = 7


@dataclass(frozen=True)
class Case:
    """One scene, and how it is resampled."""

    pair: str
    method: str
    dtype: str
    gaps: str
    scale: float
    """Output pixels a source pixel, roughly: on its own axes as ``pixel_scale`` has it"""
    edge: int
    """The longer side of the output, roughly; sources have at least 12 pixels a side and at most 400"""
    shift: tuple[float, float] = (0.0, 0.0)
    """Source pixels that the source lies off the middle of its pair"""
    turn: int = 0
    """Degrees that its pixels are turned"""
    grain: float = 1.0
    """Its pixels are so much larger than those of the pair: the same picture of a wider, more bent part of the earth"""
    like: tuple[float, float] = (0.0, 0.0)
    """Where the output's lattice is anchored, in output pixels off the CRS's origin, as --like might"""
    seed: int = 0
    picture: str = "hills"
    """hills: so gentle that 1/4096 pixel is no count. noise: over the whole range of the dtype. places: every pixel
    holds where it is, x and y of its centre. classes: of five numbers"""

    @property
    def crs(self) -> str:
        return PAIRS[self.pair].source

    @functools.cached_property
    def shape(self) -> tuple[int, int]:
        longer = int(np.clip(self.edge / self.scale, 16, 400))
        return int(0.8 * longer), longer

    @functools.cached_property
    def transform(self) -> Affine:
        pair, (rows, cols) = PAIRS[self.pair], self.shape
        pixel = pair.pixel * self.grain
        middle = Affine.translation(*pair.at) @ Affine.scale(pixel, -pixel)
        return (
            middle @ Affine.rotation(self.turn) @ Affine.translation(self.shift[0] - cols / 2, self.shift[1] - rows / 2)
        )

    @functools.cached_property
    def geobox(self) -> Geobox:
        """Around the whole source."""
        target = PAIRS[self.pair].target
        rows, cols = np.meshgrid(*(np.linspace(0, size, 41) for size in self.shape))
        x, y = Transformer.from_crs(self.crs, target, always_xy=True).transform(*(self.transform @ (cols, rows)))
        if world := wrap_width(target):
            x = np.where(x < -world / 4, x + world, x)
        bare = Asset(
            href="", driver="", crs=self.crs, transform=tuple(self.transform)[:6], shape=self.shape, count=1,
            dtype=self.dtype, validity="all",
        )  # fmt: skip
        size = float(np.sqrt(np.prod(pixel_size(bare, target)))) / self.scale
        anchor = self.like[0] * size, self.like[1] * size
        return covering((x.min(), y.min(), x.max(), y.max()), target, (size, size), anchor)

    @functools.cached_property
    def pixels(self) -> np.ndarray:
        """(2, rows, cols), with what stands where there is no data."""
        made = _PICTURES[self.picture](self.dtype, (2, *self.shape), np.random.default_rng(self.seed))
        if self.gaps in BY_NODATA:
            made[made == NODATA] = NODATA + 1
            made[~self.holds_data] = NODATA
        elif self.gaps != "none" and self.dtype.startswith("float"):
            made[~self.holds_data] = np.nan
        return made

    @functools.cached_property
    def holds_data(self) -> np.ndarray:
        """(2, rows, cols)"""
        rng, shape = np.random.default_rng(self.seed + 1), (2, *self.shape)
        rows, cols = np.mgrid[: shape[1], : shape[2]]
        if self.gaps == "none":
            return np.ones(shape, bool)
        if self.gaps == "bands apart":
            return rng.random(shape) > 0.05
        if self.gaps == "speckles":
            return np.broadcast_to(rng.random(shape[1:]) > 0.1, shape)
        if self.gaps == "stripes":
            return np.broadcast_to((rows * int(rng.integers(0, 3)) + cols) % 17 > 2, shape)
        hole = np.hypot(rows - 0.4 * shape[1], cols - 0.6 * shape[2]) < 0.25 * shape[1]
        return np.broadcast_to(~hole & (rows + cols > 0.3 * shape[1]), shape)

    def scene(self, folder: Path, overviews: Sequence[int] = ()) -> Path:
        """Its file, written."""
        path = folder / "case.tif"
        alpha = self.gaps == "alpha"
        valid = self.holds_data[:1]
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"),
            rasterio.open(
                path, "w", driver="GTiff", width=self.shape[1], height=self.shape[0], count=3 if alpha else 2,
                dtype=self.dtype, crs=self.crs, transform=self.transform, photometric="MINISBLACK", tiled=True,
                blockxsize=64, blockysize=64, nodata=NODATA if self.gaps in BY_NODATA else None,
            ) as file,
        ):  # fmt: skip
            file.colorinterp = [ColorInterp.undefined] * 2 + [ColorInterp.alpha] * alpha
            opaque = 1 if self.dtype.startswith("float") else np.iinfo(self.dtype).max
            file.write(np.concatenate([self.pixels, (valid * opaque).astype(self.dtype)]) if alpha else self.pixels)
            if self.gaps == "mask":
                file.write_mask(valid[0])
            if overviews:
                file.build_overviews(list(overviews), rasterio.enums.Resampling.average)
        return path


def _noise(dtype: str, shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    if np.dtype(dtype).kind == "f":
        return (rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 4, shape)).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def _hills(dtype: str, shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    rows, cols = np.mgrid[: shape[1], : shape[2]]
    phase = rng.random((4, shape[0], 1, 1)) * 7
    unit = 0.5 + 0.25 * (np.sin(cols / 19 + phase[0]) * np.cos(rows / 23 + phase[1]) + np.sin((rows - cols) / 29))
    if np.dtype(dtype).kind == "f":
        return (unit * 1000 - 300).astype(dtype)
    low = -2000 if np.dtype(dtype).kind == "i" else 10
    noisy = unit * min(np.iinfo(dtype).max - 30, 4000) + rng.integers(0, 10, shape)
    return (noisy + low).astype(dtype)


def places(shape: tuple[int, int]) -> np.ndarray:
    """(2, rows, cols) of x and y of every pixel's centre, float64."""
    rows, cols = np.mgrid[: shape[0], : shape[1]] + 0.5
    return np.stack([cols, rows])


def _places(dtype: str, shape: tuple[int, int, int], _rng: np.random.Generator) -> np.ndarray:
    return places(shape[1:]).astype(dtype)


def _classes(dtype: str, shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    return rng.integers(10, 15, shape).astype(dtype)


_PICTURES = {"hills": _hills, "noise": _noise, "places": _places, "classes": _classes}

phases = st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))


def cases(
    *,
    pairs: Sequence[str] = tuple(PAIRS),
    methods: Sequence[str] = METHODS,
    dtypes: Sequence[str] = DTYPES,
    gaps: Sequence[str] = GAPS,
    scales: tuple[float, float] = (0.2, 5.0),
    edge: int = 150,
    picture: str = "hills",
    grains: tuple[float, float] = (1.0, 1.0),
) -> st.SearchStrategy[Case]:
    """Their simplest: an untouched UTM scene, at scale 1 or nearly so."""
    return st.builds(
        Case,
        pair=st.sampled_from(pairs),
        method=st.sampled_from(methods),
        dtype=st.sampled_from(dtypes),
        gaps=st.sampled_from(gaps),
        scale=_spread(*scales),
        edge=st.just(edge),
        shift=phases,
        turn=st.sampled_from((0, 0, 0, 17, 45, 90, 200)),
        like=phases,
        seed=st.integers(0, 2**16),
        picture=st.just(picture),
        grain=_spread(*grains),
    )


def _spread(low: float, high: float) -> st.SearchStrategy[float]:
    """As many below as above the geometric mean."""
    return st.floats(np.log(low), np.log(high)).map(lambda power: round(float(np.exp(power)), 4))


def drawn(count: int) -> settings:
    """So many examples, the same every time; CUTLINE_DRAWS=20 looks for trouble in 20 times as many, and others."""
    times = int(os.environ.get("CUTLINE_DRAWS", "1"))
    return settings(deadline=None, max_examples=count * times, derandomize=times == 1)


@contextmanager
def image(case: Case, folder: Path, *, every_band: bool = True) -> Iterator[Image]:
    """Its file as the kernel is given it, on the grid of the case."""
    with opened(case.scene(folder), every_band=every_band) as source:
        yield replace(source, scale=pixel_scale(source.asset, case.geobox))


@contextmanager
def opened(path: Path, *, every_band: bool = True) -> Iterator[Image]:
    """Any file as the kernel is given it, on a grid as fine as its own."""
    asset = read_header(str(path)).asset
    with environment(), open_asset(asset) as dataset:
        yield Image(dataset, asset, scale=(1.0, 1.0), world=wrap_width(asset.crs), every_band=every_band)


def resampled(
    image: Image, case: Case, geobox: Geobox | None = None, wanted: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Both bands and their validity; of the whole grid unless told otherwise."""
    geobox = geobox or case.geobox
    wanted = np.ones(geobox.shape, np.bool_) if wanted is None else wanted
    return resample(image, [1, 2], geobox, case.method, wanted)
