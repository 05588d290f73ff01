"""Which CRS a file's numbers are in, and whether they can be: missing, garbled and lying statements are common."""

from __future__ import annotations

import pyproj

from cutline.aoi.model import Findings, Refusal, refusal
from cutline.aoi.project import LONLAT, name, parse_crs
from cutline.errors import UnsupportedCRS

MAX_LAT = 90.0
MAX_DRAWN_LON = 360.0
"""Longitudes go on beyond 180 where an area was drawn across the antimeridian."""
METRES = 1000.0
"""Numbers over this are no angles at all."""

Bounds = tuple[float, float, float, float]


def decide(stated: str | None, given: str | None, bounds: Bounds, findings: Findings) -> pyproj.CRS:
    """The CRS of coordinates with these ``bounds``: ``given`` by the user, else ``stated`` by the file, else guessed.

    Raises a Refusal where the numbers contradict the CRS, or where there is none and they are no longitudes and
    latitudes either.
    """
    crs = _given(given) if given else _stated(stated) if stated else None
    if crs is None:
        if not _fits(bounds):
            raise refusal(
                "no-crs",
                f"the file names no CRS and its coordinates ({_spell(bounds)}) are no longitudes and latitudes; "
                "name the CRS with --aoi-crs",
            )
        findings.add("warning", "assumed-lonlat", f"the file names no CRS; its numbers fit {LONLAT} and are taken so")
        return parse_crs(LONLAT)
    if given and stated and not crs.equals(_stated_or_none(stated), ignore_axis_order=True):
        findings.add("info", "crs-overridden", f"the file says {_short(stated)}; {name(crs)} is used as you asked")
    if in_degrees(crs):
        _check_degrees(bounds)
    elif crs.is_projected and _fits(bounds):
        _suspect(crs, findings, certain=given is None)
    return crs


def in_degrees(crs: pyproj.CRS) -> bool:
    """Whether coordinates are longitudes and latitudes in degrees."""
    return bool(crs.is_geographic and all(axis.unit_name == "degree" for axis in crs.axis_info[:2]))


def check_area_of_use(crs: pyproj.CRS, bounds: Bounds, findings: Findings) -> None:
    """Warn where lon/lat ``bounds`` lie wholly outside the area the CRS was made for."""
    area = crs.area_of_use
    if area is None or area.west > area.east:
        return
    west, south, east, north = bounds
    if west > area.east or east < area.west or south > area.north or north < area.south:
        findings.add(
            "warning",
            "outside-area-of-use",
            f"the area lies outside {area.name}, where {name(crs)} is used; is that the right CRS?",
            location=((west + east) / 2.0, (south + north) / 2.0),
        )


def _given(crs: str) -> pyproj.CRS:
    try:
        return _usable(parse_crs(crs))
    except UnsupportedCRS as error:
        raise refusal("unsupported-crs", error.message) from error


def _stated(crs: str) -> pyproj.CRS:
    try:
        return _usable(parse_crs(crs))
    except UnsupportedCRS as error:
        raise unreadable() from error


def _stated_or_none(crs: str) -> pyproj.CRS | None:
    try:
        return parse_crs(crs)
    except UnsupportedCRS:
        return None


def _usable(crs: pyproj.CRS) -> pyproj.CRS:
    if not (crs.is_geographic or crs.is_projected):
        raise refusal("unsupported-crs", f"{crs.name} does not say where on Earth it is; name the CRS with --aoi-crs")
    return crs


def unreadable() -> Refusal:
    return refusal("unreadable-crs", "the file's CRS cannot be understood; name the right one with --aoi-crs")


def _fits(bounds: Bounds) -> bool:
    west, south, east, north = bounds
    return max(-west, east) <= MAX_DRAWN_LON and max(-south, north) <= MAX_LAT


def _check_degrees(bounds: Bounds) -> None:
    if _fits(bounds):
        return
    west, south, east, north = bounds
    corner = (west, south) if abs(south) > MAX_LAT or abs(west) > MAX_DRAWN_LON else (east, north)
    where = f"x {corner[0]:g}, y {corner[1]:g}"
    if max(map(abs, bounds)) > METRES:
        raise refusal(
            "metres",
            f"coordinates look like metres ({where}), not longitudes and latitudes; name their CRS with --aoi-crs",
        )
    if _fits((south, west, north, east)):
        raise refusal(
            "swapped-axes",
            f"longitude and latitude look swapped: {corner[1]:g} is no latitude, but would be a longitude; "
            "put longitude first",
        )
    raise refusal("out-of-range", f"{where} is no longitude and latitude; longitudes end at 180, latitudes at 90")


def _suspect(crs: pyproj.CRS, findings: Findings, *, certain: bool) -> None:
    # A few hundred metres around the origin of a projection, all inside ±360 by ±90: never an area, always degrees
    # under a wrong label. Only a user who names the CRS can mean it.
    message = f"the numbers look like degrees, but the unit of {name(crs)} is the {crs.axis_info[0].unit_name}"
    if certain:
        raise refusal("degrees-as-metres", f"{message}; for longitudes and latitudes use --aoi-crs {LONLAT}")
    findings.add("warning", "degrees-as-metres", message)


def _spell(bounds: Bounds) -> str:
    return "x {0:g} to {2:g}, y {1:g} to {3:g}".format(*bounds)


def _short(stated: str) -> str:
    crs = _stated_or_none(stated)
    return name(crs) if crs else "something unreadable"
