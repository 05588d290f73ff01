"""An area that comes as a GeoJSON document by value: no file, and no OGR.

Coordinates become WKB as they are, open rings and all, so that the rules for files judge them in the same way.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutline.aoi.model import refusal
from cutline.aoi.ogr import Layer
from cutline.aoi.project import LONLAT

MAX_NESTING = 8
"""Collections inside each other"""
WKB_TYPES = {
    "Point": 1,
    "LineString": 2,
    "Polygon": 3,
    "MultiPoint": 4,
    "MultiLineString": 5,
    "MultiPolygon": 6,
    "GeometryCollection": 7,
}
EMPTY_POINT = struct.pack("<BIdd", 1, 1, 0.0, 0.0)
"""Points and lines only count as such, wherever they are"""


def read_layer(document: Any) -> Layer:
    """The features of a geometry, a Feature or a FeatureCollection. Raises a Refusal for what is none of these."""
    features = [_feature(feature) for feature in _features(document)]
    wkb = np.empty(len(features), dtype=object)
    wkb[:] = features
    return Layer(name="aoi", driver="GeoJSON", crs=_crs(document), wkb=wkb)


def count_vertices(document: Any) -> int:
    """Positions in all coordinates of a document, whatever else is wrong with it."""
    count, pending = 0, [document]
    while pending:
        match pending.pop():
            case dict() as member:
                pending.extend(value for key, value in member.items() if key in GEOMETRY_MEMBERS)
            case [int() | float(), *_]:
                count += 1
            case list() as members:
                pending.extend(members)
    return count


GEOMETRY_MEMBERS = frozenset({"features", "geometry", "geometries", "coordinates"})


def _features(document: Any) -> list[Any]:
    if isinstance(document, dict) and document.get("type") == "FeatureCollection":
        return _list(document.get("features"), "a FeatureCollection has features")
    return [document]


def _feature(document: Any) -> bytes | None:
    if isinstance(document, dict) and document.get("type") == "Feature":
        document = document.get("geometry")
    return None if document is None else _geometry(document, 0)


def _geometry(document: Any, nesting: int) -> bytes:
    kind = document.get("type") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in WKB_TYPES or nesting > MAX_NESTING:
        raise refusal(
            "unsupported-format", "the area is not GeoJSON: give a Polygon, a MultiPolygon, or features with those"
        )
    if kind == "GeometryCollection":
        members = _list(document.get("geometries"), "a GeometryCollection has geometries")
        return _many(kind, [_geometry(member, nesting + 1) for member in members])
    coordinates = _list(document.get("coordinates"), f"a {kind} has coordinates")
    if kind == "Polygon":
        return _polygon(coordinates)
    if kind == "MultiPolygon":
        return _many(kind, [_polygon(_list(part, "a MultiPolygon has lists of rings")) for part in coordinates])
    return EMPTY_POINT if kind in {"Point", "MultiPoint"} else struct.pack("<BII4d", 1, 2, 2, 0, 0, 1, 1)


def _many(kind: str, members: list[bytes]) -> bytes:
    return struct.pack("<BII", 1, WKB_TYPES[kind], len(members)) + b"".join(members)


def _polygon(rings: list[Any]) -> bytes:
    return struct.pack("<BII", 1, WKB_TYPES["Polygon"], len(rings)) + b"".join(map(_ring, rings))


def _ring(positions: Any) -> bytes:
    ring = _list(positions, "a ring is a list of positions")
    if not all(_is_position(position) for position in ring):
        wrong = next(position for position in ring if not _is_position(position))
        raise refusal(
            "unreadable-geometry", f"{str(wrong)[:60]} is no position; write [longitude, latitude], both numbers"
        )
    flat: NDArray[np.float64] = np.array([position[:2] for position in ring], dtype="<f8").reshape(-1, 2)
    return struct.pack("<I", len(flat)) + flat.tobytes()


def _is_position(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= 2
        and all(isinstance(number, int | float) and not isinstance(number, bool) for number in value[:2])
        and all(abs(number) < 1e300 or number != number for number in value[:2])  # noqa: PLR0124 - NaN is told later
    )


def _list(value: Any, rule: str) -> list[Any]:
    if not isinstance(value, list):
        raise refusal("unreadable-geometry", f"the area is broken: {rule}, as a list")
    return value


def _crs(document: Any) -> str:
    """As a member "crs" of the GeoJSON of 2008 names it; RFC 7946 knows longitude and latitude alone."""
    stated = document.get("crs") if isinstance(document, dict) else None
    if stated is None:
        return LONLAT
    properties = stated.get("properties") if isinstance(stated, dict) else None
    name = properties.get("name") if isinstance(properties, dict) and stated.get("type") == "name" else None
    if not isinstance(name, str) or len(name) > 200:
        raise refusal(
            "unreadable-crs", 'the area\'s crs cannot be understood; name it as in {"type": "name", "properties": …}'
        )
    return LONLAT if name in LONLAT_NAMES else name


LONLAT_NAMES = frozenset({"urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:OGC::CRS84", "OGC:CRS84", LONLAT})
