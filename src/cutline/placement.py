"""Where things of the earth lie on an output grid: areas, scenes, and the size of a scene's pixels there."""

from __future__ import annotations

import functools
import math

import numpy as np
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from shapely.geometry.base import BaseGeometry

from cutline.aoi.project import LONLAT, contiguous, parse_crs, to_crs
from cutline.errors import UnsupportedCRS
from cutline.imagery.hrefs import shown
from cutline.models.base import GeoJSON
from cutline.models.grid import Geobox
from cutline.models.scene import Asset


def crs_name(crs: pyproj.CRS) -> str:
    """How plans write a CRS: the authority's code where there is one, else WKT2."""
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.to_wkt())


_DOMAIN_MARGIN = (30.0, 60.0)
"""Degrees of longitude and latitude: Norway is mapped in one zone, and Landsat counts southwards in northern zones"""
_MERCATOR_END = 85.06
"""Latitude at which a world in Mercator is square; its poles are at infinity"""

_MARGIN = 2
"""Pixels around a footprint: its edge is known to half a pixel, and a kernel looks a little beyond"""


@functools.lru_cache(maxsize=64)
def image_crs(text: str) -> pyproj.CRS:
    """A CRS from whatever names one: of a compound CRS its horizontal part.

    Raises UnsupportedCRS for what cannot carry an image of the earth.
    """
    try:
        crs = parse_crs(text)
    except UnsupportedCRS as error:
        raise UnsupportedCRS(error.message, pointer="/output/crs") from error
    if not (crs.is_projected or crs.is_geographic):
        raise UnsupportedCRS(f"{text} is a {crs.type_name}; an image needs two horizontal axes", pointer="/output/crs")
    try:
        pyproj.Transformer.from_crs(LONLAT, crs)
    except ProjError as error:
        raise UnsupportedCRS(f"{text} ({crs.name}) is not a CRS of the earth", pointer="/output/crs") from error
    return crs


@functools.lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(image_crs(source), image_crs(target), always_xy=True)


def on_crs(area: BaseGeometry, crs: str, tolerance: float, *, across_180: bool) -> BaseGeometry:
    """An area in lon/lat, in ``crs``, its curved edges within ``tolerance`` (units of the CRS).

    ``across_180``: keep what the antimeridian split in one piece, where the CRS would tear it to its two ends: what
    lies beyond 180 degrees goes on to the right.
    """
    width = wrap_width(crs) if across_180 else 0.0
    if not width:
        return to_crs(area, LONLAT, crs, tolerance)
    moved = [
        shapely.affinity.translate(to_crs(part, LONLAT, crs, tolerance), width if part.bounds[0] < 0 else 0.0)
        for part in shapely.get_parts(area)
    ]
    return shapely.union_all(moved)


def is_across_180(area: BaseGeometry) -> bool:
    """Whether an area split at the antimeridian is narrower when put together again."""
    return bool(contiguous(area).bounds != area.bounds)


@functools.lru_cache(maxsize=64)
def wrap_width(crs: str) -> float:
    """How far apart the CRS draws the two sides of the antimeridian; 0 where they meet, as in UTM zone 60."""
    short = 1e-9
    (west, east), (south, north) = _transformer(LONLAT, crs).transform([short - 180, 180 - short], [0.0, 0.0])
    distance = math.hypot(east - west, north - south)
    unit = 1.0 if image_crs(crs).is_geographic else 1e5
    return (east - west) * 180 / (180 - short) if math.isfinite(distance) and distance > unit else 0.0


def box_of(geobox: Geobox, placed: BaseGeometry) -> tuple[int, int, int, int]:
    """first row, first col, end row, end col of the pixels of ``geobox`` that a geometry in its CRS can touch."""
    if placed.is_empty:
        return 0, 0, 0, 0
    left, bottom, right, top = placed.bounds
    rows, cols = geobox.shape
    first_col, first_row = ~geobox.transform @ (left, top)
    end_col, end_row = ~geobox.transform @ (right, bottom)
    return (
        int(np.clip(math.floor(first_row) - _MARGIN, 0, rows)),
        int(np.clip(math.floor(first_col) - _MARGIN, 0, cols)),
        int(np.clip(math.ceil(end_row) + _MARGIN, 0, rows)),
        int(np.clip(math.ceil(end_col) + _MARGIN, 0, cols)),
    )


def reach(footprint: GeoJSON, area: BaseGeometry, geobox: Geobox, *, across_180: bool) -> BaseGeometry:
    """What of ``area`` (lon/lat) a scene can reach, in the CRS of ``geobox`` and to within half a pixel.

    Only what is near the area is projected: elsewhere the CRS may have no place for a footprint.
    ``across_180``: the geobox goes on to the right of the antimeridian, where the world begins again.
    """
    surroundings = shapely.union_all([shapely.box(*part.bounds) for part in shapely.get_parts(area)])
    near = shapely.intersection(shapely.geometry.shape(footprint), surroundings)
    # Where the two merely touch there are lines and points.
    polygons = [part for part in shapely.get_parts(near) if part.geom_type == "Polygon"]
    return on_crs(shapely.MultiPolygon(polygons), geobox.crs, min(geobox.resolution) / 2, across_180=across_180)


def pixel_size(asset: Asset, crs: str) -> tuple[float, float]:
    """Extent of one of the asset's pixels along x and y of ``crs``: what native resolution means there."""
    across, down = _pixel_sides(asset, crs)
    # The sides of a box along the axes with the pixel's area and proportions, however the pixel is turned.
    width, height = np.hypot(across[0], down[0]), np.hypot(across[1], down[1])
    with np.errstate(invalid="ignore"):  # a pole has no width
        shrink = np.sqrt(np.abs(across[0] * down[1] - down[0] * across[1]) / (width * height))
    return float(np.nanmedian(width * shrink)), float(np.nanmedian(height * shrink))


def pixel_scale(asset: Asset, geobox: Geobox) -> tuple[float, float]:
    """How many output pixels one of the asset's pixels is wide and high, along its own sides."""
    (width, height), sides = geobox.resolution, _pixel_sides(asset, geobox.crs)
    across, down = (float(np.median(np.hypot(side[0] / width, side[1] / height))) for side in sides)
    return across, down


def choose_overview(asset: Asset, geobox: Geobox) -> tuple[int | None, tuple[float, float]]:
    """The coarsest overview that is still no coarser than the output (None: the file itself), and how many output
    pixels one of its pixels is wide and high. By asset and output grid alone, never by window."""
    across, down = pixel_scale(asset, geobox)
    coarsest = (1 + 1e-6) / max(across, down)
    fitting = [index for index, decimation in enumerate(asset.overviews) if decimation <= coarsest]
    if not fitting:
        return None, (across, down)
    decimation = asset.overviews[fitting[-1]]
    return fitting[-1], (decimation * across, decimation * down)


def _pixel_sides(asset: Asset, crs: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The upper and the left side of some of the asset's pixels in ``crs``, each as rows dx and dy.

    Of nine pixels, for a median of them: a single one may lie on a pole or on the antimeridian, where it has no size.
    """
    transform, (rows, cols) = Affine(*asset.transform), asset.shape
    if asset.crs == crs:
        return np.array([[transform.a], [transform.d]]), np.array([[transform.b], [transform.e]])
    col, row = np.meshgrid(*(np.floor(edge * np.array([0.25, 0.5, 0.75])) for edge in (cols, rows)))
    corners = [transform @ (col.ravel() + dx, row.ravel() + dy) for dx, dy in ((0, 0), (1, 0), (0, 1))]
    corner, right, below = (np.array(_transformer(asset.crs, crs).transform(*at)) for at in corners)
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        across, down = right - corner, below - corner
    known = np.isfinite(across).all(axis=0) & np.isfinite(down).all(axis=0)
    if not known.any():
        raise UnsupportedCRS(f"{shown(asset.href)} lies outside what {crs} can hold", pointer="/output/crs")
    return across[:, known], down[:, known]


def domain(crs: str) -> BaseGeometry | None:
    """Where on earth (lon/lat) a CRS is meant for, and a little around; None where nobody has said.

    Beyond, projections run off to infinity: the poles in Mercator, the other hemisphere in polar stereographic.
    """
    known = image_crs(crs)
    area = known.area_of_use
    if area is None:
        return None
    method = known.coordinate_operation.method_name if known.coordinate_operation else ""
    upright = "Mercator" in method and not ("Transverse" in method or "Oblique" in method)
    end = _MERCATOR_END if upright else 90.0
    south, north = max(area.south - _DOMAIN_MARGIN[1], -end), min(area.north + _DOMAIN_MARGIN[1], end)
    width = (area.east - area.west) % 360 or 360
    if width + 2 * _DOMAIN_MARGIN[0] >= 360:
        return shapely.box(-180, south, 180, north)
    west = area.west - _DOMAIN_MARGIN[0]
    east = west + width + 2 * _DOMAIN_MARGIN[0]
    return shapely.union_all([shapely.box(west + turn, south, east + turn, north) for turn in (-360, 0, 360)])


def utm_zone(area: GeoJSON | BaseGeometry) -> str:
    """The EPSG code of the UTM zone (WGS 84) of an area's middle; near a pole, of the UPS grid there.

    With the exceptions for Norway and Svalbard, whose maps and Sentinel-2 scenes follow them.
    """
    geometry = contiguous(shapely.geometry.shape(area) if isinstance(area, dict) else area)
    middle = shapely.box(*geometry.bounds).centroid
    lon, lat = (middle.x + 180) % 360 - 180, middle.y
    if lat > 84:
        return "EPSG:32661"
    if lat < -80:
        return "EPSG:32761"
    zone = int((lon + 180) // 6) + 1
    for (south, north), (west, east), widened in _UTM_EXCEPTIONS:
        if south <= lat < north and west <= lon < east:
            zone = widened
    return f"EPSG:{32600 + zone if lat >= 0 else 32700 + zone}"


_UTM_EXCEPTIONS = (
    ((56, 64), (3, 12), 32),
    ((72, 84), (0, 9), 31),
    ((72, 84), (9, 21), 33),
    ((72, 84), (21, 33), 35),
    ((72, 84), (33, 42), 37),
)
"""Latitudes and longitudes, from and below; the zone there"""
