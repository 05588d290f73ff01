"""Areas and intervals as openEO writes them, in our words: a GeoJSON geometry in lon/lat, a half-open interval."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from shapely.errors import ShapelyError
from shapely.geometry import shape

from cutline.errors import InvalidProcess
from cutline.models.base import GeoJSON

LONLAT = (None, 4326, "4326", "EPSG:4326", "epsg:4326", "OGC:CRS84")
EDGE_POINTS = 100
"""Points on each edge of a projected box: a straight edge there is a curve in lon/lat"""


def read_area(value: Any, pointer: str) -> GeoJSON | None:
    """A spatial extent: a bounding box or GeoJSON with polygons. None stays None: everywhere."""
    if value is None:
        return None
    if isinstance(value, dict) and {"west", "south", "east", "north"} <= value.keys():
        return _box(value, pointer)
    polygons = _polygons(value, pointer)
    if not polygons:
        raise InvalidProcess("There is no polygon in this area.", pointer=pointer)
    return _geometry(polygons)


def _geometry(polygons: list[Any]) -> GeoJSON:
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _box(extent: dict[str, Any], pointer: str) -> GeoJSON:
    sides = [extent[side] for side in ("west", "south", "east", "north")]
    if not all(isinstance(side, int | float) and not isinstance(side, bool) for side in sides):
        raise InvalidProcess("west, south, east and north are numbers.", pointer=pointer)
    west, south, east, north = map(float, sides)
    crs = extent.get("crs")
    if south >= north or west == east:
        raise InvalidProcess("This box is empty: west < east and south < north.", pointer=pointer)
    if crs in LONLAT:
        if west < east:
            return _geometry([[_ring(west, south, east, north, 1)]])
        # West of east the other way round: across the antimeridian.
        return _geometry([[_ring(west, south, 180.0, north, 1)], [_ring(-180.0, south, east, north, 1)]])
    if west > east:
        raise InvalidProcess("West is east of east.", pointer=pointer)
    try:
        transformer = Transformer.from_crs(CRS.from_user_input(crs), "OGC:CRS84", always_xy=True)
    except CRSError:
        raise InvalidProcess(f"{crs!r} is no coordinate reference system.", pointer=f"{pointer}/crs") from None
    ring = [list(transformer.transform(x, y)) for x, y in _ring(west, south, east, north, EDGE_POINTS)]
    if not all(abs(lon) <= 360 and abs(lat) <= 90 for lon, lat in ring):
        raise InvalidProcess("This box is outside of where its coordinate reference system is valid.", pointer=pointer)
    return _geometry([[ring]])


def _ring(west: float, south: float, east: float, north: float, points: int) -> list[list[float]]:
    """Counter-clockwise from the south-west, ``points`` steps an edge."""
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    ring = [
        [x + (next_x - x) * step / points, y + (next_y - y) * step / points]
        for (x, y), (next_x, next_y) in pairwise(corners)
        for step in range(points)
    ]
    return [*ring, ring[0]]


def _polygons(value: Any, pointer: str) -> list[Any]:
    """The coordinates of all polygons in a geometry, feature or collection."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "Feature":
        return _polygons(value.get("geometry"), f"{pointer}/geometry") if value.get("geometry") else []
    if kind in {"FeatureCollection", "GeometryCollection"}:
        key = "features" if kind == "FeatureCollection" else "geometries"
        members = value.get(key)
        if not isinstance(members, list):
            raise InvalidProcess(f"A {kind} has {key}.", pointer=pointer)
        return [p for position, member in enumerate(members) for p in _polygons(member, f"{pointer}/{key}/{position}")]
    coordinates = value.get("coordinates") if isinstance(value, dict) else None
    if kind == "Polygon" and isinstance(coordinates, list):
        return [coordinates] if coordinates else []
    if kind == "MultiPolygon" and isinstance(coordinates, list):
        return coordinates
    raise InvalidProcess(
        "An area is a bounding box (west, south, east, north) or GeoJSON polygons in longitude and latitude.",
        pointer=pointer,
    )


def inner(one: GeoJSON, two: GeoJSON) -> GeoJSON | None:
    """Of two areas the one that lies within the other: a box around an area adds nothing. None: neither does."""
    try:
        first, second = shape(one), shape(two)
        if first.covers(second):
            return two
        return one if second.covers(first) else None
    except (ShapelyError, TypeError, ValueError):  # an area that needs repair, which comes later
        return None


def read_interval(value: Any, pointer: str) -> tuple[str | None, str | None] | None:
    """A temporal extent: [start, end), RFC 3339 dates or times, null for open. None stays None."""
    if value is None:
        return None
    ends = value if isinstance(value, list | tuple) else ()
    if len(ends) != 2 or not all(end is None or isinstance(end, str) for end in ends):
        raise InvalidProcess("An interval of time is [start, end], each a text or null.", pointer=pointer)
    start, end = ends
    if start is None and end is None:
        return None
    instants = [_instant(end, f"{pointer}/{position}") for position, end in enumerate(ends) if end is not None]
    if len(instants) == 2 and instants[0] >= instants[1]:
        raise InvalidProcess("An interval of time ends after it starts.", pointer=pointer)
    return start, end


def _instant(text: str, pointer: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        message = f"A time is written as 2024-05-31 or 2024-05-31T12:00:00Z, not {text[:40]!r}."
        raise InvalidProcess(message, pointer=pointer) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
