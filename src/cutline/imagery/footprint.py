"""The ground a raster covers, as lon/lat polygons that hold the centre of every pixel."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable

import numpy as np
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import Polygon, box

from cutline.errors import InvalidScene
from cutline.models.base import GeoJSON
from cutline.models.scene import Asset

Degrees = NDArray[np.float64]
"""(n, 2) longitudes and latitudes"""

POINTS_PER_SIDE = (21, 161, 1281)
"""Tried in turn, until an edge's longitudes can be followed past the antimeridian"""
MAX_STEP = 60.0
"""Degrees of longitude between neighbouring points; nearer to 180 one could not tell east from west"""
GRID = 65
"""Points a side, where the edge leaves the CRS's domain and the inside is sampled instead"""
MAX_LATITUDE = 91.0
"""Degrees. A world grid whose pixels are centred on the poles reaches half a pixel beyond"""


def footprint(assets: Iterable[Asset]) -> GeoJSON:
    """Polygon or MultiPolygon around every pixel of ``assets``. Raises InvalidScene where a raster is off Earth."""
    grids = sorted({(asset.crs, asset.transform, asset.shape) for asset in assets})
    whole = shapely.union_all([_cover(crs, Affine(*transform), shape) for crs, transform, shape in grids])
    geometry: GeoJSON = json.loads(shapely.to_geojson(whole))
    return geometry


def _cover(crs: str, transform: Affine, shape: tuple[int, int]) -> shapely.Geometry:
    to_lonlat = _transformer(crs)
    for points in POINTS_PER_SIDE:
        ring = _project(to_lonlat, transform, _edge(shape, points))
        if not np.isfinite(ring).all():
            return _cover_of_samples(to_lonlat, transform, shape)
        ring[:, 0] = np.unwrap(ring[:, 0], period=360.0)
        if np.abs(np.diff(ring[:, 0])).max() <= MAX_STEP:
            return _cover_of_edge(ring)
    return _cover_of_samples(to_lonlat, transform, shape)


def _edge(shape: tuple[int, int], points: int) -> Degrees:
    """(col, row) around the rectangle, closed; between every two ``points`` one more, to measure the bend with."""
    rows, cols = shape
    along = np.linspace(0.0, 1.0, 2 * points - 1)[:-1]
    zero, one = np.zeros_like(along), np.ones_like(along)
    sides = [(along, zero), (one, along), (1 - along, one), (zero, 1 - along)]
    ring = np.concatenate([np.column_stack([x * cols, y * rows]) for x, y in sides])
    return np.vstack([ring, ring[:1]])


def _project(to_lonlat: pyproj.Transformer, transform: Affine, pixels: Degrees) -> Degrees:
    a, b, c, d, e, f = tuple(transform)[:6]
    col, row = pixels.T
    x, y = a * col + b * row + c, d * col + e * row + f
    lon, lat = to_lonlat.transform(x, y, errcheck=False)
    return np.column_stack([lon, lat])


def _cover_of_edge(ring: Degrees) -> shapely.Geometry:
    """From the closed ring of an edge, longitudes continuous."""
    if ring[:, 1].min() < -MAX_LATITUDE or ring[:, 1].max() > MAX_LATITUDE:
        raise InvalidScene("its coordinates lie beyond the poles; is its coordinate reference system right?")
    bend = np.abs(ring[1:-1:2] - (ring[0:-2:2] + ring[2::2]) / 2).max()
    ring = ring[::2]
    turns = round((ring[-1, 0] - ring[0, 0]) / 360.0)
    if turns:  # once around a pole: close the ring over it
        pole = np.copysign(90.0, ring[:, 1].mean())
        ring = np.vstack([ring, [[ring[-1, 0], pole], [ring[0, 0], pole]]])
    # Between its points the true edge may bulge outwards, by no more than it does at the points in between.
    outline = shapely.make_valid(Polygon(ring)).buffer(max(1.5 * bend, 1e-9), join_style="mitre", mitre_limit=2.0)
    return _split(outline)


def _cover_of_samples(to_lonlat: pyproj.Transformer, transform: Affine, shape: tuple[int, int]) -> shapely.Geometry:
    """A generous rectangle around what of the raster lies on Earth: full disks, whole-globe sinusoidal grids, poles."""
    rows, cols = shape
    col, row = np.meshgrid(np.linspace(0, cols, GRID), np.linspace(0, rows, GRID))
    lonlat = _project(to_lonlat, transform, np.column_stack([col.ravel(), row.ravel()]))
    lonlat = lonlat[np.isfinite(lonlat).all(axis=1)]
    if not len(lonlat):
        raise InvalidScene("no part of it lies where its coordinate reference system is defined")
    lat = lonlat[:, 1].reshape(-1)
    return box(-180.0, max(lat.min() - 5, -90.0), 180.0, min(lat.max() + 5, 90.0))


def _split(outline: shapely.Geometry) -> shapely.Geometry:
    """``outline`` cut at ±180, ±540 … and its pieces moved into -180 .. 180."""
    west, _, east, _ = shapely.bounds(outline)
    pieces = []
    for turn in range(int(np.floor((west + 180) / 360)), int(np.ceil((east - 180) / 360)) + 1):
        piece = shapely.intersection(outline, box(360.0 * turn - 180, -90, 360.0 * turn + 180, 90))
        pieces.append(shapely.transform(piece, functools.partial(_shifted, degrees=-360.0 * turn)))
    return _polygons(shapely.union_all(pieces))


def _shifted(lonlat: Degrees, degrees: float) -> Degrees:
    return np.asarray(lonlat + [degrees, 0.0])  # noqa: RUF005 - arrays add


def _polygons(geometry: shapely.Geometry) -> shapely.Geometry:
    """Without the lines and points that cutting leaves."""
    parts = [part for part in shapely.get_parts(geometry) if part.area > 0]
    return shapely.union_all(parts)


@functools.lru_cache(maxsize=256)
def _transformer(crs: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
