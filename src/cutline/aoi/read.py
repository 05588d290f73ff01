"""Reading an area of interest, from the path to the MultiPolygon and its report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Never

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from cutline.aoi import dateline, geojson, ogr, reference, rules
from cutline.aoi.limits import MAX_VERTICES, check
from cutline.aoi.model import Aoi, AoiReport, Findings, Location, Refusal, refusal
from cutline.aoi.project import LONLAT, all_to_crs, contiguous, name, parse_crs, to_crs
from cutline.aoi.rules import Areas
from cutline.aoi.stage import Staged, stage
from cutline.errors import InvalidGeometry, InvalidRequest, TooLarge, UnsupportedCRS

TOLERANCE = 1e-7
"""Degrees, about a centimetre: how far an edge may be from where the file's CRS has it"""

CheckedAoi = tuple[Aoi | None, AoiReport]

ERRORS: dict[str, type[InvalidRequest]] = {"too-large": TooLarge, "unsupported-crs": UnsupportedCRS}
"""Findings that are not InvalidGeometry when raised"""


def read_aoi(
    path: Path | str,
    *,
    layer: str | None = None,
    where: str | None = None,
    crs: str | None = None,
    repair: bool = False,
) -> Aoi:
    """The area of interest in a file: all its polygons as one.

    ``layer`` chooses among several, ``where`` filters features (an OGR SQL WHERE clause), ``crs`` overrides what the
    file says of its coordinates, ``repair`` mends open rings and invalid polygons.

    Raises InvalidGeometry, TooLarge or UnsupportedCRS; the message says what is wrong, where, and what would be right.
    """
    aoi, report = check_aoi(path, layer=layer, where=where, crs=crs, repair=repair)
    return aoi or _refuse(report)


def check_aoi(
    path: Path | str,
    *,
    layer: str | None = None,
    where: str | None = None,
    crs: str | None = None,
    repair: bool = False,
) -> CheckedAoi:
    """As read_aoi, but bad content is told in the report's findings, with None for the area, and never raised."""
    reading = _Reading(Path(path), layer, where, crs, repair)
    return _checked(reading, reading.layer)


def check_geojson(document: Any, *, max_vertices: int = MAX_VERTICES, repair: bool = False) -> CheckedAoi:
    """As check_aoi, for a GeoJSON document by value: a geometry, a Feature or a FeatureCollection."""
    reading = _Reading(Path(), None, None, None, repair)

    def layer() -> ogr.Layer:
        check(max_vertices, geojson.count_vertices(document), "vertices")
        return geojson.read_layer(document)

    return _checked(reading, layer)


def read_geojson(document: Any, *, max_vertices: int = MAX_VERTICES, repair: bool = False) -> Aoi:
    """The area in a GeoJSON document by value. Raises as read_aoi does, with all findings as the error's details."""
    aoi, report = check_geojson(document, max_vertices=max_vertices, repair=repair)
    return aoi or _refuse(report)


def _refuse(report: AoiReport) -> Never:
    first = next(finding for finding in report.findings if finding.severity == "error")
    told = [finding.model_dump(mode="json", exclude_none=True) for finding in report.findings]
    raise ERRORS.get(first.code, InvalidGeometry)(first.message, pointer="/aoi", details={"findings": told})


def _checked(reading: _Reading, layer: Callable[[], ogr.Layer]) -> CheckedAoi:
    try:
        geometry = reading.run(layer())
    except Refusal as refused:
        return None, reading.report(findings=(*reading.findings, *refused.findings))
    except shapely.GEOSException as error:
        failed = refusal("invalid-polygon", f"the polygons cannot be joined ({error}); run with --repair")
        return None, reading.report(findings=(*reading.findings, *failed.findings))
    report = reading.report(findings=tuple(reading.findings), valid=True, **_measures(geometry))
    return Aoi(geometry, report), report


@dataclass
class _Reading:
    path: Path
    wanted_layer: str | None
    where: str | None
    given_crs: str | None
    repair: bool
    findings: Findings = field(default_factory=Findings)
    known: dict[str, Any] = field(default_factory=dict)
    """Fields of the report, as they become known"""

    def report(self, **more: Any) -> AoiReport:
        return AoiReport(path=str(self.path), **self.known, **more)

    def run(self, layer: ogr.Layer) -> shapely.MultiPolygon:
        self.known |= {"driver": layer.driver, "layer": layer.name, "crs": layer.crs}
        areas = rules.parse(layer.wkb, self.findings, repair=self.repair)
        crs = reference.decide(layer.crs, self.given_crs, areas.bounds, self.findings)
        self.known |= {"crs": name(crs), "features": len(np.unique(areas.features))}
        if reference.in_degrees(crs):
            areas = self._unwrap(areas, assumed=True)
        areas, broken = rules.check_valid(areas, self.findings, _locator(crs), repair=self.repair)
        lonlat = self._unwrap(areas.replaced(_to_lonlat(areas.geometries, crs)), assumed=False)
        merged = rules.merge(self._valid_again(lonlat), self.findings)
        if broken is not None:
            self.known["area_change_km2"] = self._area_change(broken, areas, crs)
        reference.check_area_of_use(crs, merged.bounds, self.findings)
        return merged

    def layer(self) -> ogr.Layer:
        with tempfile.TemporaryDirectory(prefix="cutline-aoi-") as directory:
            staged = stage(self.path, Path(directory), ignore_prj=self.given_crs is not None)
            chosen, layer = self._choose(staged)
            return ogr.read_layer(chosen, layer, self.where)

    def _choose(self, staged: tuple[Staged, ...]) -> tuple[Staged, str]:
        """The file and layer meant; where a zip holds several files, these are the layers."""
        if len(staged) > 1:
            staged = (staged[self._pick([file.name for file in staged])],)
            self.wanted_layer = None
        layers = ogr.list_layers(staged[0])
        return staged[0], layers[self._pick(layers)]

    def _pick(self, names: Any) -> int:
        self.known.setdefault("layers", tuple(names))
        listed = ", ".join(repr(item) for item in names[:20])
        if not names:
            raise refusal("no-polygons", "the file has no layer with geometry; an area of interest needs polygons")
        if self.wanted_layer is None:
            if len(names) > 1:
                raise refusal("choose-layer", f"the file has the layers {listed}; choose one with --layer")
            return 0
        if self.wanted_layer not in names:
            raise refusal("unknown-layer", f"there is no layer {self.wanted_layer!r}; the file has {listed}")
        return list(names).index(self.wanted_layer)

    def _unwrap(self, areas: Areas, *, assumed: bool) -> Areas:
        """Without jumps in longitude. ``assumed``: they were drawn so in the file, so say how that was understood."""
        unwrapped = dateline.unwrap(areas.geometries)
        for index in np.flatnonzero(unwrapped.jumped)[: rules.MAX_TOLD] if assumed else ():
            pole = unwrapped.poles[index]
            message = (
                f"taken as enclosing the {'north' if pole > 0 else 'south'} pole, since it goes once around the globe"
                if pole
                else "taken as crossing the antimeridian, since an edge spans over 180° of longitude; "
                "a vertex within that edge would keep it from doing so"
            )
            code = "encloses-pole" if pole else "crosses-antimeridian"
            self.findings.add("warning", code, message, feature=int(areas.features[index]))
        return areas.replaced(unwrapped.polygons)

    def _valid_again(self, areas: Areas) -> Areas:
        # Rounding in another CRS can make neighbouring vertices meet; what that changes is far below the tolerance.
        invalid = ~shapely.is_valid(areas.geometries)
        geometries = areas.geometries.copy()
        geometries[invalid] = shapely.make_valid(geometries[invalid], method="structure", keep_collapsed=False)
        return areas.replaced(geometries)

    def _area_change(self, broken: Areas, mended: Areas, crs: pyproj.CRS) -> float | None:
        changed = np.isin(mended.features, broken.features)
        before, after = (_to_lonlat(part, crs) for part in (broken.geometries, mended.geometries[changed]))
        try:
            return rules.area_km2(after) - rules.area_km2(before)
        except UnsupportedCRS:  # a broken ring may go around the globe more than once; it then has no area at all
            return None


def _to_lonlat(geometries: NDArray[np.object_], crs: pyproj.CRS) -> NDArray[np.object_]:
    try:
        lonlat = all_to_crs(shapely.orient_polygons(geometries), crs, LONLAT, TOLERANCE)
    except InvalidRequest as error:
        raise refusal("crs-mismatch", error.message) from error
    check(MAX_VERTICES, int(shapely.get_num_coordinates(lonlat).sum()), "vertices")
    return lonlat


def _locator(crs: pyproj.CRS) -> rules.Locate:
    def locate(xy: NDArray[np.float64]) -> Location | None:
        try:
            point = to_crs(shapely.Point(xy), crs, parse_crs(LONLAT), TOLERANCE)
        except InvalidRequest:
            return None
        return (point.x + 180.0) % 360.0 - 180.0, point.y

    return locate


def _measures(geometry: shapely.MultiPolygon) -> dict[str, Any]:
    west, south, east, north = contiguous(geometry).bounds
    crossing = dateline.crosses(geometry)
    if crossing and east - west < 360.0:
        bounds = (west, south, (east + 180.0) % 360.0 - 180.0, north)
    else:
        bounds = geometry.bounds
    return {
        "bounds": tuple(map(float, bounds)),
        "area_km2": rules.area_km2(np.array([geometry], dtype=object)),
        "vertices": int(shapely.get_num_coordinates(geometry)),
        "crosses_antimeridian": crossing,
    }
