"""Polygons that cross the antimeridian or enclose a pole, as planar polygons in lon/lat.

First *unwrap*: follow each ring without jumps, so that its longitudes may leave [-180, 180]; the usual planar rules
hold then. At the end *split*: cut at every odd multiple of 180° and bring the pieces back.

The rule for a file that cannot be asked: an edge that spans more than 180° of longitude, but not all 360°, goes the
short way, over the antimeridian. An edge of exactly 360° is the rim of a global rectangle. A polygon that itself has
longitudes beyond ±180 is taken as it is drawn. A ring that goes once around the globe encloses the pole on the side
with the smaller area.

(The package ``antimeridian`` has the same results and is the oracle of the tests; this is planar where it is spherical,
knows longitudes beyond 180, and is linear in compiled code.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

Coordinates = NDArray[np.float64]
"""(n, 2): longitude, latitude"""

HALF, TURN = 180.0, 360.0
EASTWARD = np.array([TURN, 0.0])
SNAP = 1e-9
"""Degrees (0.1 mm). Nearer to ±180 than this is on it, or there would be slivers."""


@dataclass(frozen=True)
class Unwrapped:
    """Polygons, (n,), without jumps, and what had to be assumed of each."""

    polygons: NDArray[np.object_]
    jumped: NDArray[np.bool_]
    """Taken as crossing the antimeridian because an edge spans over 180°"""
    poles: NDArray[np.int8]
    """1: encloses the north pole, -1: the south pole, 0: none"""


def unwrap(geometries: NDArray[np.object_]) -> Unwrapped:
    """Polygons and MultiPolygons, (n,), that have no jump in longitude."""
    result = geometries.copy()
    jumped = np.zeros(len(geometries), dtype=bool)
    poles = np.zeros(len(geometries), dtype=np.int8)
    west, _, east, _ = shapely.bounds(geometries).T if len(geometries) else np.empty((4, 0))
    within = (west >= -HALF - SNAP) & (east <= HALF + SNAP)
    for index in np.flatnonzero(within & (east - west > HALF)):
        parts = [_unwrap_polygon(part) for part in shapely.get_parts(geometries[index])]
        if not any(changed for _, changed, _ in parts):
            continue
        polygons = [polygon for polygon, _, _ in parts]
        result[index] = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
        jumped[index] = True
        poles[index] = next((pole for _, _, pole in parts if pole), 0)
    return Unwrapped(result, jumped, poles)


def split(geometry: BaseGeometry) -> BaseGeometry:
    """A valid area with any longitudes as a valid area within [-180, 180]."""
    geometry = shapely.transform(geometry, _snap)
    west, _, east, _ = geometry.bounds
    if west >= -HALF and east <= HALF:
        return geometry
    first, last = int(np.floor((west + HALF) / TURN)), int(np.ceil((east - HALF) / TURN))
    return shapely.union_all(areas([_frame(geometry, turn) for turn in range(first, last + 1)]))


def crosses(geometry: BaseGeometry) -> bool:
    """Whether an area within [-180, 180] goes on across the antimeridian."""
    west, _, east, _ = geometry.bounds
    if west > -HALF or east < HALF:
        return False
    rims = [shapely.intersection(geometry, shapely.LineString([(x, -90.0), (x, 90.0)])) for x in (-HALF, HALF)]
    left, right = (shapely.transform(rim, lambda xy: xy * (0.0, 1.0)) for rim in rims)
    return bool(shapely.intersection(left, right).length > 0.0)


def areas(geometries: Sequence[BaseGeometry]) -> NDArray[np.object_]:
    """The polygons among the parts, without lines and points where something was only touched."""
    parts = shapely.get_parts(shapely.get_parts(np.asarray(geometries, dtype=object)))
    polygons: NDArray[np.object_] = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return polygons[~shapely.is_empty(polygons)]


def _frame(geometry: BaseGeometry, turn: int) -> BaseGeometry:
    """The part of ``geometry`` within 180° of ``turn`` turns east, brought back to [-180, 180]."""
    west = turn * TURN - HALF
    piece = shapely.intersection(geometry, shapely.box(west, -90.0, west + TURN, 90.0))
    return shapely.transform(piece, lambda xy: xy - turn * EASTWARD)


def _unwrap_polygon(polygon: shapely.Polygon) -> tuple[shapely.Polygon, bool, int]:
    """The polygon without jumps, whether it had any, and the pole it encloses."""
    rings = [shapely.get_coordinates(ring) for ring in shapely.get_rings(polygon)]
    followed = [_follow(ring) for ring in rings]
    if not any(changed for _, changed in followed):
        return polygon, False, 0
    (exterior, _), *holes = followed
    pole = 0
    if abs(exterior[-1, 0] - exterior[0, 0]) > HALF:
        exterior, pole = _close_over_pole(exterior)
    centre = (exterior[:, 0].min() + exterior[:, 0].max()) / 2.0
    moved = [hole + EASTWARD * np.round((centre - _middle(hole)) / TURN) for hole, _ in holes]
    return shapely.Polygon(exterior, moved), True, pole


def _follow(ring: Coordinates) -> tuple[Coordinates, bool]:
    """The ring with each edge going the short way, and whether that changed anything."""
    steps = np.diff(ring[:, 0])
    jumps = (np.abs(steps) > HALF) & (np.abs(np.abs(steps) - TURN) > SNAP)
    if not jumps.any():
        return ring, False
    turns = np.concatenate([[0.0], np.cumsum(np.where(jumps, -np.sign(steps) * TURN, 0.0))])
    return ring + np.column_stack([turns, np.zeros(len(ring))]), True


def _close_over_pole(ring: Coordinates) -> tuple[Coordinates, int]:
    """A ring that ends 360° from where it began, closed along the pole on the side of the smaller area."""
    width = np.diff(ring[:, 0])
    mean = np.sin(np.radians((ring[1:, 1] + ring[:-1, 1]) / 2.0))
    direction = float(np.sign(ring[-1, 0] - ring[0, 0]))
    pole = 1 if direction * float((width * mean).sum()) >= 0.0 else -1
    # From the vertex next to that pole: the line up to it then meets no other edge, however the ring meanders.
    start = int(np.argmax(ring[:-1, 1] * pole))
    turned = np.vstack([ring[start:-1], ring[: start + 1] + direction * EASTWARD])
    rim = [(turned[-1, 0], pole * 90.0), (turned[0, 0], pole * 90.0), turned[0]]
    return np.vstack([turned, rim]), pole


def _middle(ring: Coordinates) -> float:
    return float(ring[:, 0].min() + ring[:, 0].max()) / 2.0


def _snap(xy: Coordinates) -> Coordinates:
    nearest = np.round(xy[:, 0] / HALF) * HALF
    on_it = (np.abs(xy[:, 0] - nearest) <= SNAP) & (nearest % TURN != 0.0)
    snapped = xy.copy()
    snapped[on_it, 0] = nearest[on_it]
    return snapped
