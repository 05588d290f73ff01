"""From the features of a layer to valid polygons, and from these to one MultiPolygon. Geometry only: no files here."""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cutline.aoi import dateline
from cutline.aoi.model import Finding, Findings, Location, Refusal, place, refusal
from cutline.aoi.project import LONLAT, all_to_crs

EQUAL_AREA = "+proj=cea +datum=WGS84 +over"
"""Exact areas on the ellipsoid. (pyproj.Geod takes an area beyond a hemisphere for its outside.)"""
AREA_TOLERANCE = 0.1
"""Metres that an edge may be off for its area"""

MAX_TOLD = 20
"""Findings of one sort; nobody reads more, and a hostile file could have 200,000"""

WKB_POLYGON, WKB_MULTIPOLYGON = 3, 6

REASONS = {
    "Self-intersection": ("self-intersection", "the boundary crosses itself"),
    "Ring Self-intersection": ("ring-self-intersection", "a ring touches itself"),
    "Hole lies outside shell": ("hole-outside", "a hole lies outside its polygon"),
    "Holes are nested": ("nested-holes", "a hole lies inside another"),
    "Nested shells": ("nested-parts", "a part lies inside another"),
    "Duplicate Rings": ("duplicate-rings", "two rings are the same"),
    "Interior is disconnected": ("disconnected-interior", "a hole cuts the polygon in two"),
    "Too few points in geometry component": ("degenerate-ring", "a ring has too few different vertices"),
}
"""What GEOS says (up to its square bracket) -> code and words of ours"""

TYPE_NAMES = {0: "point", 1: "line", 2: "line", 4: "point", 5: "line"}
"""shapely's type id -> what a person calls it"""

Locate = Callable[[NDArray[np.float64]], Location | None]
"""From x, y in the file's CRS to (lon, lat); None where there is none"""


@dataclass(frozen=True)
class Areas:
    """Polygons and MultiPolygons, (n,), and the feature of the layer, (n,), that each came from."""

    geometries: NDArray[np.object_]
    features: NDArray[np.int64]

    def replaced(self, geometries: NDArray[np.object_]) -> Areas:
        return replace(self, geometries=geometries)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        west, south, east, north = map(float, shapely.total_bounds(self.geometries))
        return west, south, east, north


def parse(wkb: NDArray[np.object_], findings: Findings, *, repair: bool) -> Areas:
    """The polygons in WKB features, with finite coordinates.

    Null and empty geometries, points and lines are left out with a warning. Raises a Refusal where no polygon is left,
    a ring is open (unless ``repair``), a coordinate is not finite, or a geometry is of no known type.
    """
    features = np.flatnonzero([item is not None for item in wkb])
    _warn_missing(len(wkb) - len(features), "null-geometry", "without a geometry", findings)
    with np.errstate(invalid="ignore"):  # NaN is told of below
        geometries = shapely.from_wkb(wkb[features], on_invalid="ignore")
    for index in np.flatnonzero(shapely.is_missing(geometries)):
        geometries[index] = _close(wkb[features[index]], int(features[index]), findings, repair=repair)
    empty = shapely.is_empty(geometries)
    _warn_missing(int(empty.sum()), "empty-geometry", "with an empty geometry", findings)
    whole = Areas(shapely.force_2d(geometries[~empty]), features[~empty])
    _check_finite(whole)
    return _only_polygons(whole, findings, total=len(wkb))


def check_valid(areas: Areas, findings: Findings, locate: Locate, *, repair: bool) -> tuple[Areas, Areas | None]:
    """The areas with every polygon valid, and those that were repaired as they had been (None: nothing was wrong).

    Raises a Refusal that tells each fault and its place, unless ``repair``: then faults are mended by GEOS's
    ``make_valid`` (method "structure"): rings keep their meaning as shells and holes, and what collapses is dropped.
    """
    invalid = np.flatnonzero(~shapely.is_valid(areas.geometries))
    if not invalid.size:
        return areas, None
    faults = [_fault(areas, int(index), locate, repair=repair) for index in invalid[:MAX_TOLD]]
    if not repair:
        raise Refusal(*faults)
    for fault in faults:
        findings.add(fault.severity, fault.code, fault.message, location=fault.location, feature=fault.feature)
    broken = Areas(areas.geometries[invalid], areas.features[invalid])
    mended = shapely.make_valid(broken.geometries, method="structure", keep_collapsed=False)
    geometries = areas.geometries.copy()
    for index, geometry in zip(invalid, mended, strict=True):
        geometries[index] = shapely.MultiPolygon(list(dateline.areas([geometry])))
    kept = ~shapely.is_empty(geometries)
    if not kept.any():
        raise refusal("no-area", "nothing is left of the area after repair: its rings enclose nothing")
    return Areas(geometries[kept], areas.features[kept]), broken


def merge(areas: Areas, findings: Findings) -> shapely.MultiPolygon:
    """One valid MultiPolygon within [-180, 180], exteriors counter-clockwise. Overlaps dissolve.

    Areas: valid in lon/lat, without jumps. Raises a Refusal if the union has no extent.
    """
    united = shapely.union_all(areas.geometries)
    if len(areas.geometries) > 1 and float(shapely.area(areas.geometries).sum()) > united.area * (1.0 + 1e-9):
        findings.add("info", "overlaps-dissolved", "polygons overlap; each place counts once")
    parts = dateline.areas([dateline.split(united)])
    if not parts.size:
        raise refusal("no-area", "the polygons enclose no area")
    return shapely.MultiPolygon(list(shapely.orient_polygons(parts)))


def area_km2(geometries: NDArray[np.object_]) -> float:
    """Area on the ellipsoid of polygons, (n,), in lon/lat, edges being straight in lon/lat; they need not be valid."""
    return float(shapely.area(all_to_crs(geometries, LONLAT, EQUAL_AREA, AREA_TOLERANCE)).sum()) / 1e6


def unclosed_ring(wkb: bytes) -> tuple[float, float] | None:
    """The last vertex of the first ring, in 2-D Polygon or MultiPolygon WKB, that does not end where it began."""
    order = "<" if wkb[0] else ">"
    kind, count = struct.unpack_from(f"{order}II", wkb, 1)
    if kind not in (WKB_POLYGON, WKB_MULTIPOLYGON):
        return None
    position = 9
    for _ in range(count):
        if kind == WKB_POLYGON:
            (vertices,) = struct.unpack_from(f"{order}I", wkb, position)
            ring = np.frombuffer(wkb, f"{order}f8", 2 * vertices, position + 4).reshape(-1, 2)
            position += 4 + ring.nbytes
            if vertices and (ring[0] != ring[-1]).any():
                return float(ring[-1, 0]), float(ring[-1, 1])
        else:
            end = unclosed_ring(wkb[position:])
            if end:
                return end
            position += _polygon_length(wkb, position, order)
    return None


def _polygon_length(wkb: bytes, position: int, order: str) -> int:
    (rings,) = struct.unpack_from(f"{order}I", wkb, position + 5)
    length = 9
    for _ in range(rings):
        (vertices,) = struct.unpack_from(f"{order}I", wkb, position + length)
        length += 4 + 16 * vertices
    return length


def _close(wkb: bytes, feature: int, findings: Findings, *, repair: bool) -> BaseGeometry:
    """The geometry of WKB that GEOS refuses, with its rings closed."""
    closed: BaseGeometry | None = shapely.from_wkb([wkb], on_invalid="fix")[0]
    if closed is None:
        # OGR writes nothing at all for a LinearRing that KML has in place of a Polygon.
        reason = "is neither point, line nor polygon" if not wkb else "cannot be read; a ring needs four vertices"
        raise refusal("unreadable-geometry", f"the geometry of feature {feature} {reason}", feature=feature)
    end = unclosed_ring(wkb)
    where = f" at {end[0]:g}, {end[1]:g}" if end else ""
    if not repair:
        raise refusal(
            "unclosed-ring",
            f"a ring of feature {feature} does not end where it began, but{where}; close it or run with --repair",
            location=end,
            feature=feature,
        )
    findings.add("repaired", "unclosed-ring", f"a ring of feature {feature} was closed", location=end, feature=feature)
    return closed


def _warn_missing(count: int, code: str, words: str, findings: Findings) -> None:
    if count:
        findings.add("warning", code, f"left out: {count} of the features {words}")


def _check_finite(areas: Areas) -> None:
    coordinates, index = shapely.get_coordinates(areas.geometries, return_index=True)
    lost = np.flatnonzero(~np.isfinite(coordinates).all(axis=1))
    if lost.size:
        row = int(lost[0])
        feature, vertex = int(areas.features[index[row]]), row - int(np.searchsorted(index, index[row]))
        x, y = coordinates[row]
        raise refusal(
            "not-finite",
            f"vertex {vertex} of feature {feature} is ({x:g}, {y:g}); every coordinate has to be a finite number",
            feature=feature,
        )


def _only_polygons(areas: Areas, findings: Findings, *, total: int) -> Areas:
    geometries, features = areas.geometries, areas.features
    while (collections := shapely.get_type_id(geometries) == shapely.GeometryType.GEOMETRYCOLLECTION).any():
        parts, index = shapely.get_parts(geometries[collections], return_index=True)
        features = np.concatenate([features[~collections], features[collections][index]])
        geometries = np.concatenate([geometries[~collections], parts])
    types = shapely.get_type_id(geometries)
    polygonal = np.isin(types, [shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON])
    dropped = Counter(TYPE_NAMES[int(kind)] for kind in types[~polygonal])
    words = " and ".join(f"{count} {name}{'s' if count > 1 else ''}" for name, count in sorted(dropped.items()))
    if not polygonal.any():
        holds = f"only {words}" if dropped else "no geometry" if total else "no features"
        raise refusal("no-polygons", f"the layer holds {holds}; an area of interest needs polygons")
    if dropped:
        findings.add("warning", "dropped-parts", f"only polygons are used; left out: {words}")
    order = np.argsort(features[polygonal], kind="stable")
    return Areas(geometries[polygonal][order], features[polygonal][order])


def _fault(areas: Areas, index: int, locate: Locate, *, repair: bool) -> Finding:
    said = str(shapely.is_valid_reason(areas.geometries[index]))
    reason, _, rest = said.partition("[")
    code, words = REASONS.get(reason, ("invalid-polygon", reason.lower()))
    numbers = re.findall(r"[-+\d.e]+", rest)
    location = locate(np.array(numbers[:2], dtype=float)) if len(numbers) >= 2 else None
    feature = int(areas.features[index])
    where = f" at {place(location)}" if location else ""
    advice = "was repaired" if repair else "run with --repair, or redraw it there"
    return Finding(
        code=code,
        severity="repaired" if repair else "error",
        message=f"{words}{where} (feature {feature}); {advice}",
        location=location,
        feature=feature,
    )
