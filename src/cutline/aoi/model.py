"""What reading an area of interest gives: the geometry, and a report of everything that was found on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import shapely

from cutline.models.base import GeoJSON, Model

Severity = Literal["error", "warning", "repaired", "info"]
Location = tuple[float, float]
"""(lon, lat) in degrees"""


class Finding(Model):
    """One thing worth telling. ``code`` is stable and kebab-case, ``message`` a sentence for a person."""

    code: str
    severity: Severity
    message: str
    location: Location | None = None
    """Where, (lon, lat)"""
    feature: int | None = None
    """Which feature of the layer, counted from 0 after the filter"""


class AoiReport(Model):
    """What is known of a file. After an error the fields that were not reached keep their defaults."""

    path: str
    driver: str | None = None
    """OGR's name of the format"""
    layer: str | None = None
    layers: tuple[str, ...] = ()
    """Every layer that can hold areas"""
    crs: str | None = None
    """Of the file: an authority code where there is one, else WKT"""
    features: int = 0
    """Features whose polygons are used"""
    area_km2: float | None = None
    """On the ellipsoid"""
    bounds: tuple[float, float, float, float] | None = None
    """(west, south, east, north) in degrees as RFC 7946 has it: west > east where the antimeridian lies between them"""
    vertices: int = 0
    """Of the resulting geometry"""
    crosses_antimeridian: bool = False
    valid: bool = False
    """There is a usable geometry (after repair, if that was asked for)"""
    findings: tuple[Finding, ...] = ()
    area_change_km2: float | None = None
    """What repair added (or, negative, took away); None where nothing was repaired"""


@dataclass(frozen=True)
class Aoi:
    """A valid 2-D MultiPolygon in lon/lat, exteriors counter-clockwise, split at the antimeridian (RFC 7946)."""

    geometry: shapely.MultiPolygon
    report: AoiReport

    def to_geojson(self) -> GeoJSON:
        """The geometry as a GeoJSON MultiPolygon."""
        mapping: GeoJSON = shapely.geometry.mapping(self.geometry)
        return mapping


class Refusal(Exception):
    """Inside this package only: the file cannot be used, and these are the reasons (severity error)."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(finding.message for finding in findings))
        self.findings = findings


def refusal(code: str, message: str, *, location: Location | None = None, feature: int | None = None) -> Refusal:
    """The Refusal for one reason."""
    return Refusal(Finding(code=code, severity="error", message=message, location=location, feature=feature))


class Findings:
    """What was found so far, in order."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def add(
        self,
        severity: Severity,
        code: str,
        message: str,
        *,
        location: Location | None = None,
        feature: int | None = None,
    ) -> None:
        self._found.append(
            Finding(code=code, severity=severity, message=message, location=location, feature=feature),
        )

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._found)


def place(location: Location) -> str:
    """A location in words, to about a decimetre."""
    lon, lat = (f"{value:.6f}".rstrip("0").rstrip(".") for value in location)
    return f"longitude {lon}, latitude {lat}"
