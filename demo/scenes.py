"""Sample scenes: two satellite images of one landscape in neighbouring UTM zones, as files a user would have."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
from affine import Affine
from pyproj import Transformer
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from demo.aoi import write_aoi
from demo.landscape import Landscape
from demo.noise import Floats, refine
from demo.sensor import NODATA, Day, look
from demo.stac import SceneFacts, item

GROUND = "+proj=tmerc +lat_0=48.45 +lon_0=12 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m +type=crs"
"""The landscape's own frame: 12° east is where zones 32 and 33 meet"""

EDGE = 256
"""Pixels of a block's side"""

MARGIN = 2
"""Pixels around a block that the optics look at; EDGE + 2·MARGIN + 1 = 261 = 4·65 + 1 suits the noise and the nodes"""

NODES = 65
"""Pixels between exact coordinates: interpolating between them errs by a centimetre"""


@dataclass(frozen=True)
class DemoFiles:
    """Where everything is."""

    scenes: tuple[Path, ...]
    masks: tuple[Path, ...]
    items: tuple[Path, ...]
    aoi: Path


@dataclass(frozen=True)
class Overpass:
    """One acquisition, before anything is drawn."""

    id: str
    datetime: str
    epsg: int
    centre: tuple[float, float]
    """In the ground's frame, as a share of the scene's side"""
    day: Day


OVERPASSES = (
    Overpass(
        "demo-32-20250619",
        "2025-06-19T10:16:09Z",
        32632,
        (-0.30, 0.03),
        Day(101, (1.0, 1.0, 1.0, 1.0), (0.013, 0.009, 0.006, 0.003), 0.30, (-420.0, 610.0)),
    ),
    Overpass(
        "demo-33-20250622",
        "2025-06-22T10:06:31Z",
        32633,
        (0.30, -0.03),
        Day(202, (0.955, 0.965, 0.975, 0.96), (0.021, 0.014, 0.009, 0.004), 0.27, (-350.0, 640.0)),
    ),
)


def make_scenes(folder: Path, size: int = 2400, resolution: float = 10.0) -> DemoFiles:
    """Draw the scenes, ``size`` pixels square of ``resolution`` metres, and an area of interest across both.

    The same arguments give the same pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    side = size * resolution
    landscape = Landscape(reach=1.4 * side + 5000)
    drawn = [_draw(landscape, overpass, folder, size, resolution) for overpass in OVERPASSES]
    scenes, masks, items = zip(*drawn, strict=True)
    return DemoFiles(scenes, masks, items, write_aoi(folder / "aoi.zip", GROUND, 0.30 * side))


def _draw(
    landscape: Landscape, overpass: Overpass, folder: Path, size: int, resolution: float
) -> tuple[Path, Path, Path]:
    """One scene: its bands, its classification and the STAC item beside them."""
    camera = Camera(overpass, size, resolution)
    data, scl = folder / f"{overpass.id}.tif", folder / f"{overpass.id}-scl.tif"
    raw = {"driver": "GTiff", "width": size, "height": size, "crs": camera.crs, "transform": camera.transform}
    raw |= {"nodata": 0, "BIGTIFF": "IF_SAFER", "SPARSE_OK": True}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        raw_data, raw_scl = Path(scratch, "data.tif"), Path(scratch, "scl.tif")
        with (
            rasterio.open(raw_data, "w", count=4, dtype="uint16", interleave="pixel", **raw) as data_file,
            rasterio.open(raw_scl, "w", count=1, dtype="uint8", **raw) as scl_file,
        ):
            data_file.colorinterp = (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined)
            data_file.scales, data_file.offsets = (1e-4,) * 4, (0.0,) * 4
            for index, name in enumerate(("blue", "green", "red", "nir"), start=1):
                data_file.set_band_description(index, name)
            cloudy = _expose(landscape, camera, data_file, scl_file)
        cog = {"driver": "COG", "COMPRESS": "DEFLATE", "LEVEL": 1, "PREDICTOR": "YES", "BIGTIFF": "IF_SAFER"}
        cog |= {"NUM_THREADS": "ALL_CPUS"}
        rasterio.shutil.copy(raw_data, data, OVERVIEW_RESAMPLING="AVERAGE", **cog)
        rasterio.shutil.copy(raw_scl, scl, OVERVIEW_RESAMPLING="NEAREST", **cog)
    facts = SceneFacts(overpass.id, overpass.datetime, overpass.epsg, camera.transform, size, camera.swath(), cloudy)
    path = folder / f"{overpass.id}.json"
    path.write_text(json.dumps(item(facts, data, scl), indent=2) + "\n")
    return data, scl, path


def _expose(
    landscape: Landscape, camera: Camera, data: rasterio.io.DatasetWriter, scl: rasterio.io.DatasetWriter
) -> float:
    """Every block of the scene, drawn by several threads and written in order; returns the percentage of cloud."""
    cloudy = seen = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for row in range(0, camera.size, EDGE):  # a row at a time, so that no more than that waits in memory
            corners = [(row, col) for col in range(0, camera.size, EDGE)]
            for (_, col), (numbers, classes) in zip(
                corners, pool.map(lambda corner: camera.block(landscape, *corner), corners), strict=True
            ):
                window = Window(col, row, *classes.shape[::-1])
                data.write(numbers, window=window)
                scl.write(classes, 1, window=window)
                cloudy += int(np.count_nonzero((classes == 8) | (classes == 9)))
                seen += int(np.count_nonzero(classes))
    return round(100 * cloudy / max(seen, 1), 2)


@dataclass(frozen=True)
class Camera:
    """An overpass at a size and resolution: which ground each pixel looks at, and what it sees there."""

    overpass: Overpass
    size: int
    resolution: float

    @property
    def crs(self) -> str:
        return f"EPSG:{self.overpass.epsg}"

    @cached_property
    def transform(self) -> Affine:
        """Pixel corners at whole multiples of the resolution, as products of one mission have them."""
        side = self.size * self.resolution
        centre = [share * side for share in self.overpass.centre]
        x, y = Transformer.from_crs(GROUND, self.crs, always_xy=True).transform(*centre)
        left = round((x - side / 2) / self.resolution) * self.resolution
        top = round((y + side / 2) / self.resolution) * self.resolution
        return Affine(self.resolution, 0.0, left, 0.0, -self.resolution, top)

    def block(self, landscape: Landscape, row: int, col: int) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
        """Numbers and classes of the block whose upper left pixel is (row, col)."""
        rows, cols = min(EDGE, self.size - row), min(EDGE, self.size - col)
        seen = self._in_swath(row, col, rows, cols)
        if not seen.any():
            return np.zeros((4, rows, cols), np.uint16), np.zeros((rows, cols), np.uint8)
        x, y = self._ground(row - MARGIN, col - MARGIN)
        ground, cover = landscape.at(x, y)
        rng = np.random.default_rng([self.overpass.day.seed, row, col])
        numbers, classes = look(self.overpass.day, x, y, ground=ground, cover=cover, rng=rng)
        inner = (slice(MARGIN, MARGIN + rows), slice(MARGIN, MARGIN + cols))
        return numbers[:, *inner] * seen, np.where(seen, classes[inner], np.uint8(NODATA))

    def swath(self) -> list[tuple[float, float]]:
        """The corners of what the satellite saw, in lon/lat, counter-clockwise."""
        to_lonlat = Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
        corners = [(col * self.size, row * self.size) for col, row in SWATH]
        return [to_lonlat.transform(*(self.transform @ corner)) for corner in _densified(corners)]

    @cached_property
    def _to_ground(self) -> Transformer:
        return Transformer.from_crs(self.crs, GROUND, always_xy=True)

    def _ground(self, row: int, col: int) -> tuple[Floats, Floats]:
        """Where on the ground the pixel centres are, for the block with its margins."""
        steps = NODES * np.arange((EDGE + 2 * MARGIN) // NODES + 1) + 0.5
        cols, rows = np.meshgrid(col + steps, row + steps)
        x, y = self._to_ground.transform(*(self.transform @ (cols, rows)))
        return refine(x, NODES).astype(np.float32), refine(y, NODES).astype(np.float32)

    def _in_swath(self, row: int, col: int, rows: int, cols: int) -> npt.NDArray[np.bool_]:
        """The pixels within the slanted swath."""
        across = ((np.arange(col, col + cols) + 0.5) / self.size)[None, :]
        down = ((np.arange(row, row + rows) + 0.5) / self.size)[:, None]
        inside = np.ones((rows, cols), bool)
        for (x0, y0), (x1, y1) in _sides(SWATH):
            inside &= (x1 - x0) * (down - y0) - (y1 - y0) * (across - x0) <= 0
        return inside


SWATH = ((0.085, 0.015), (0.02, 0.955), (0.915, 0.985), (0.98, 0.045))
"""The swath's corners in shares of the raster (across, down): an orbit is not north-up, so the sides slant"""


def _sides(
    corners: tuple[tuple[float, float], ...] | list[tuple[float, float]],
) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    return zip(corners, [*corners[1:], corners[0]], strict=True)


def _densified(corners: list[tuple[float, float]], pieces: int = 4) -> Iterator[tuple[float, float]]:
    """The ring with more corners, closed: a straight side in UTM is a curve in lon/lat."""
    for (x0, y0), (x1, y1) in _sides(corners):
        for step in range(pieces):
            yield x0 + (x1 - x0) * step / pieces, y0 + (y1 - y0) * step / pieces
    yield corners[0]
