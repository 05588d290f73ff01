"""Where things of the earth lie on an output grid: areas, scenes, and the size of a scene's pixels there."""

from __future__ import annotations

import functools
import math

import numpy as np
import pyproj
import shapely
from affine import Affine

from cutline.aoi.project import contiguous, to_crs
from cutline.errors import UnsupportedCRS
from cutline.models.base import GeoJSON
from cutline.models.grid import Geobox
from cutline.models.scene import Asset

LONLAT = "OGC:CRS84"


@functools.lru_cache(maxsize=64)
def parse_crs(text: str) -> pyproj.CRS:
    """A CRS from whatever names one. Raises UnsupportedCRS for what cannot carry an image of the earth."""
    try:
        crs = pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError as error:
        raise UnsupportedCRS(
            f"{text!r} is no coordinate reference system; write a code such as EPSG:3857", pointer="/output/crs"
        ) from error
    if not (crs.is_projected or crs.is_geographic) or len(crs.axis_info) > 2:
        kind = crs.type_name
        raise UnsupportedCRS(f"{text} is a {kind}; an image needs two horizontal axes", pointer="/output/crs")
    return crs


@functools.lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(parse_crs(source), parse_crs(target), always_xy=True)


def on_crs(area: shapely.Geometry, crs: str, tolerance: float, *, across_180: bool) -> shapely.Geometry:
    """An area in lon/lat, in ``crs``, its curved edges within ``tolerance`` (units of the CRS).

    ``across_180``: keep what the antimeridian split in one piece, where the CRS would tear it to its two ends: what
    lies beyond 180 degrees goes on to the right.
    """
    width = _wrap_width(crs) if across_180 else 0.0
    if not width:
        return to_crs(area, LONLAT, crs, tolerance)
    moved = [
        shapely.affinity.translate(to_crs(part, LONLAT, crs, tolerance), width if part.bounds[0] < 0 else 0.0)
        for part in shapely.get_parts(area)
    ]
    return shapely.union_all(moved)


def is_across_180(area: shapely.Geometry) -> bool:
    """Whether an area split at the antimeridian is narrower when put together again."""
    return bool(contiguous(area).bounds != area.bounds)


@functools.lru_cache(maxsize=64)
def _wrap_width(crs: str) -> float:
    """How far apart the CRS draws the two sides of the antimeridian; 0 where they meet, as in UTM zone 60."""
    (west, east), (south, north) = _transformer(LONLAT, crs).transform([-180 + 1e-9, 180 - 1e-9], [0.0, 0.0])
    distance = math.hypot(east - west, north - south)
    unit = 1.0 if parse_crs(crs).is_geographic else 1e5
    return east - west if math.isfinite(distance) and distance > unit else 0.0


def bounds_in(geobox: Geobox, area: shapely.Geometry) -> tuple[int, int, int, int]:
    """first row, first col, end row, end col of the pixels of ``geobox`` that an area (lon/lat) can touch."""
    placed = on_geobox(area, geobox)
    if placed.is_empty:
        return 0, 0, 0, 0
    left, bottom, right, top = placed.bounds
    transform, (rows, cols) = geobox.transform, geobox.shape
    margin = 2.0
    first_col, first_row = ~transform @ (left, top)
    end_col, end_row = ~transform @ (right, bottom)
    return (
        int(np.clip(math.floor(first_row - margin), 0, rows)),
        int(np.clip(math.floor(first_col - margin), 0, cols)),
        int(np.clip(math.ceil(end_row + margin), 0, rows)),
        int(np.clip(math.ceil(end_col + margin), 0, cols)),
    )


def on_geobox(area: shapely.Geometry, geobox: Geobox) -> shapely.Geometry:
    """An area (lon/lat) in the CRS of ``geobox``, to within half a pixel, in the turn of the globe it covers."""
    left, _, right, _ = geobox.bounds
    width = _wrap_width(geobox.crs)
    beyond = bool(width) and right > _transformer(LONLAT, geobox.crs).transform(180 - 1e-9, 0.0)[0] + 1e-6 * width
    del left
    return on_crs(area, geobox.crs, min(geobox.resolution) / 2, across_180=beyond)


def pixels_across(asset: Asset, geobox: Geobox) -> float:
    """How many pixels of ``asset`` an output pixel spans, at the asset's centre and in its finer direction."""
    width, height = pixel_size(asset, geobox.crs)
    return min(geobox.resolution[0] / width, geobox.resolution[1] / height)


def pixel_size(asset: Asset, crs: str) -> tuple[float, float]:
    """(x, y) extent of the asset's central pixel in ``crs``: what native resolution means there."""
    transform, (rows, cols) = Affine(*asset.transform), asset.shape
    across, down = transform.a, transform.e
    if asset.crs == crs and transform.b == transform.d == 0:
        return abs(across), abs(down)
    centre_col, centre_row = cols // 2, rows // 2
    corners = np.array([transform @ (centre_col + dx, centre_row + dy) for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1))])
    x, y = _transformer(asset.crs, crs).transform(corners[:, 0], corners[:, 1])
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UnsupportedCRS(f"{asset.href} lies outside what {crs} can hold", pointer="/output/crs")
    # The sides of a square turned against the axes: of equal area, not its bounding box.
    area = abs((x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]))
    ratio = math.hypot(x[1] - x[0], y[1] - y[0]) / math.hypot(x[2] - x[0], y[2] - y[0])
    return math.sqrt(area * ratio), math.sqrt(area / ratio)


def utm_zone(area: GeoJSON | shapely.Geometry) -> str:
    """The EPSG code of the UTM zone (WGS 84) of an area's middle; near a pole, of the UPS grid there."""
    geometry = contiguous(shapely.geometry.shape(area) if isinstance(area, dict) else area)
    middle = shapely.box(*geometry.bounds).centroid
    if middle.y > 84:
        return "EPSG:32661"
    if middle.y < -80:
        return "EPSG:32761"
    zone = int((middle.x + 180) % 360 // 6) + 1
    return f"EPSG:{32600 + zone if middle.y >= 0 else 32700 + zone}"
