"""Polygons from one CRS to another with their edges where they were, and lon/lat areas in one piece."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, cast

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry.base import BaseGeometry

from cutline.errors import InvalidGeometry, UnsupportedCRS

LONLAT = "EPSG:4326"

G = TypeVar("G", bound=BaseGeometry)
Coordinates = NDArray[np.float64]
"""(…, 2): x, y"""

QUARTERS = np.array([0.25, 0.5, 0.75])[:, np.newaxis]
EASTWARD = np.array([360.0, 0.0])
MAX_ROUNDS = 10
"""4^10 pieces of one edge; only an edge through a singular point (a pole) gets that far."""


def to_crs(geometry: G, source: str | pyproj.CRS, target: str | pyproj.CRS, tolerance: float) -> G:
    """``geometry`` (x, y in ``source``; longitude first) in ``target``, straight edges of the source staying in place.

    An edge gets vertices until it is nowhere further than ``tolerance`` (units of the target) from the true curve. The
    vertices depend on the edge alone, not on its direction, so neighbours that share an edge still do. The same CRS
    gives the very geometry back. A Z is dropped.

    Raises UnsupportedCRS where a CRS is unknown, where there is no way from one to the other, or where the target has
    no place for a vertex; InvalidGeometry where the source has none (the target being lon/lat).
    """
    if geometry.is_empty:
        return geometry
    result: G = all_to_crs(np.array([geometry], dtype=object), source, target, tolerance)[0]
    return result


def all_to_crs(
    geometries: NDArray[np.object_],
    source: str | pyproj.CRS,
    target: str | pyproj.CRS,
    tolerance: float,
) -> NDArray[np.object_]:
    """As to_crs, for (n,) geometries of which none is empty; polygons mixed with MultiPolygons become MultiPolygons."""
    from_crs, into_crs = parse_crs(source), parse_crs(target)
    if not len(geometries) or from_crs.equals(into_crs, ignore_axis_order=True):
        return geometries
    kind, coordinates, offsets = shapely.to_ragged_array(shapely.force_2d(geometries))
    projection = _Projection(from_crs, into_crs)
    if not offsets:
        return shapely.from_ragged_array(kind, projection(coordinates), offsets)
    projected, lines = _densify(coordinates, offsets[0], projection, tolerance)
    return shapely.from_ragged_array(kind, projected, (lines, *offsets[1:]))


WHITE = " \n\r\t"
"""WKT may be laid out in lines. PROJ stops at a NUL, and would take what follows for nothing"""


def parse_crs(crs: str | pyproj.CRS) -> pyproj.CRS:
    """A two-dimensional CRS; UnsupportedCRS if there is none of that name."""
    if isinstance(crs, str) and any(not (letter.isprintable() or letter in WHITE) for letter in crs):
        raise UnsupportedCRS("a coordinate reference system has no unprintable characters; EPSG:32633 would be one")
    try:
        return pyproj.CRS.from_user_input(crs).to_2d()
    except CRSError as error:
        raise UnsupportedCRS(
            f"there is no coordinate reference system {str(crs)[:80]!r}; EPSG:32633 would be one"
        ) from error


def contiguous(geometry: G) -> G:
    """A lon/lat area in the frame that makes it narrowest: parts west of its widest gap move 360° east.

    An area split at the antimeridian so becomes one piece with longitudes over 180; any other comes back unchanged.
    """
    parts = shapely.get_parts(geometry)
    if len(parts) < 2:
        return geometry
    west, _, east, _ = shapely.bounds(parts).T
    order = np.argsort(west)
    reach = np.maximum.accumulate(east[order])
    gaps = west[order][1:] - reach[:-1]
    widest = int(np.argmax(gaps))
    if gaps[widest] <= west.min() + 360.0 - east.max():
        return geometry
    moved = parts.copy()
    behind = order[: widest + 1]
    moved[behind] = shapely.transform(parts[behind], lambda xy: xy + EASTWARD)
    return cast(G, shapely.union_all(moved))


class _Projection:
    """Forward projection of (…, 2) coordinates that fails on what cannot be projected."""

    def __init__(self, source: pyproj.CRS, target: pyproj.CRS) -> None:
        self.source, self.target = source, target
        self.transform = _transform(source, target)
        self.wraps = target.is_geographic

    def __call__(self, xy: Coordinates) -> Coordinates:
        projected = self.transform(xy)
        lost = ~np.isfinite(projected).all(axis=-1)
        if lost.any():
            raise self._no_place(xy[lost][0])
        return projected

    def _no_place(self, xy: Coordinates) -> InvalidGeometry | UnsupportedCRS:
        x, y = map(float, xy)
        if self.target.is_geographic:
            return InvalidGeometry(f"x {x:g}, y {y:g} lies outside {name(self.source)}; is that the right CRS?")
        lonlat = xy if self.source.is_geographic else _transform(self.source, parse_crs(LONLAT))(xy)
        lon, lat = map(float, lonlat)
        return UnsupportedCRS(
            f"{name(self.target)} has no place for longitude {lon:g}, latitude {lat:g}; choose another"
        )


def name(crs: pyproj.CRS) -> str:
    """A CRS in few words: its code where it has one."""
    authority = crs.to_authority()
    return ":".join(authority) if authority else crs.name


@lru_cache(maxsize=64)
def _transform(source: pyproj.CRS, target: pyproj.CRS) -> Callable[[Coordinates], Coordinates]:
    try:
        transformer = pyproj.Transformer.from_crs(source, target, always_xy=True)
    except ProjError as error:
        raise UnsupportedCRS(f"there is no way from {name(source)} to {name(target)}") from error

    def forward(xy: Coordinates) -> Coordinates:
        x, y = transformer.transform(xy[..., 0], xy[..., 1])
        return np.stack([x, y], axis=-1)

    return forward


def _densify(
    xy: Coordinates,
    offsets: NDArray[Any],
    projection: _Projection,
    tolerance: float,
) -> tuple[Coordinates, NDArray[Any]]:
    """Projected vertices of lines that begin at ``offsets`` (lines + 1), and their new offsets."""
    uv = projection(xy)
    line = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    unknown = np.append(line[1:] == line[:-1], False)  # the edge that leaves this vertex is still to be judged
    for _ in range(MAX_ROUNDS):
        edges = np.flatnonzero(unknown)
        if not edges.size:
            break
        between, between_uv, bent = _bend(xy, uv, edges, projection, tolerance)
        at = np.repeat(edges[bent] + 1, len(QUARTERS))
        unknown[edges[~bent]] = False
        xy = np.insert(xy, at, between[bent].reshape(-1, 2), axis=0)
        uv = np.insert(uv, at, between_uv[bent].reshape(-1, 2), axis=0)
        line = np.insert(line, at, line[at - 1])
        unknown = np.insert(unknown, at, True)
    counts = np.bincount(line, minlength=len(offsets) - 1)
    return uv, np.concatenate([[0], np.cumsum(counts)])


def _bend(
    xy: Coordinates,
    uv: Coordinates,
    edges: NDArray[np.intp],
    projection: _Projection,
    tolerance: float,
) -> tuple[Coordinates, Coordinates, NDArray[np.bool_]]:
    """Quarter points of ``edges``, (edges, 3, 2), these projected, and which edges bend by more than ``tolerance``."""
    start, end = xy[edges], xy[edges + 1]
    # Always computed from the lower to the higher end, so that either direction gives the same bits.
    backward = (end[:, 0] < start[:, 0]) | ((end[:, 0] == start[:, 0]) & (end[:, 1] < start[:, 1]))
    swap = backward[:, np.newaxis]
    low, high = np.where(swap, end, start), np.where(swap, start, end)
    low_uv, high_uv = np.where(swap, uv[edges + 1], uv[edges]), np.where(swap, uv[edges], uv[edges + 1])
    points = low[:, np.newaxis] + (high - low)[:, np.newaxis] * QUARTERS
    points_uv = projection(points)
    to_low, to_high = low_uv[:, np.newaxis] - points_uv, high_uv[:, np.newaxis] - points_uv
    bent = np.zeros(len(edges), dtype=bool)
    if projection.wraps:
        for difference in (to_low, to_high):
            difference[..., 0] = (difference[..., 0] + 180.0) % 360.0 - 180.0
            # Beyond a half turn nobody can tell which way an edge goes.
            bent |= (np.abs(difference[..., 0]) > 90.0).any(axis=1)
    bent |= (_distance(to_low, to_high) > tolerance).any(axis=1)
    points[backward], points_uv[backward] = points[backward, ::-1], points_uv[backward, ::-1]
    return points, points_uv, bent


def _distance(start: Coordinates, end: Coordinates) -> NDArray[np.float64]:
    """From the origin to the segments start-end."""
    along = end - start
    squared = (along**2).sum(axis=-1)
    fraction = np.clip(-(start * along).sum(axis=-1) / np.where(squared == 0.0, 1.0, squared), 0.0, 1.0)
    distance: NDArray[np.float64] = np.hypot(*np.moveaxis(start + fraction[..., np.newaxis] * along, -1, 0))
    return distance
