"""The grid of an export: which CRS, which resolution, which pixels, and the area in that CRS."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import shapely
from affine import Affine
from shapely.geometry.base import BaseGeometry

from cutline.errors import InvalidRequest, UnsupportedCRS
from cutline.grid import covering
from cutline.models.grid import Geobox
from cutline.models.request import ExportRequest
from cutline.models.scene import Asset, Scene
from cutline.placement import crs_name, domain, image_crs, is_across_180, on_crs, pixel_size, utm_zone

_SAME = 0.01
"""Resolutions this close are one: a UTM zone's 10 m is 9.998 m in the next"""

_CUTLINE_TOLERANCE = 0.1
"""Pixels that the cutline may deviate from the true curve of an edge"""


def choose_geobox(
    request: ExportRequest, scenes: Sequence[Scene], bands: Sequence[str], warnings: list[str]
) -> tuple[Geobox, BaseGeometry]:
    """The smallest geobox around the area asked for, and that area in lon/lat. Appends to ``warnings``.

    What the request leaves open is decided so: the CRS all scenes share, else the UTM zone of the area; the finest
    native resolution among the bands used; the footprint of the scenes.
    """
    lonlat = _area(request, scenes)
    if request.output.geobox is not None:
        return request.output.geobox, lonlat
    assets = _assets(scenes, bands)
    crs = crs_name(image_crs(request.output.crs or _common_crs(assets) or utm_zone(lonlat)))
    native = min(min(pixel_size(asset, crs)) for asset in assets)
    resolution = request.output.resolution or _tidy(native, assets, crs)
    if request.output.resolution is not None and resolution < native * (1 - _SAME):  # our own rounding is no mistake
        warnings.append(
            f"resolution {resolution:g} is finer than the scenes' {native:.4g}: more pixels, no more detail"
        )
    if crs not in {asset.crs for asset in assets}:
        lonlat = _within_domain(lonlat, crs, warnings, cut=request.aoi is None)
    # Too many pixels are refused before edges are drawn finely enough for them.
    covering(drawn(request, crs, lonlat, (math.inf, math.inf)).bounds, crs, (resolution, resolution))
    area = drawn(request, crs, lonlat, (resolution, resolution))
    bounds = area.bounds
    if request.aoi is None and all(asset.crs == crs for asset in assets):
        bounds = _extent(assets)  # exactly; a footprint that went by lon/lat is a little off
    return covering(bounds, crs, (resolution, resolution)), lonlat


def area_in(crs: str, lonlat: BaseGeometry, resolution: tuple[float, float]) -> BaseGeometry:
    """An area in lon/lat as the cutline in ``crs``."""
    return on_crs(lonlat, crs, _CUTLINE_TOLERANCE * min(resolution), across_180=is_across_180(lonlat))


def drawn(request: ExportRequest, crs: str, lonlat: BaseGeometry, resolution: tuple[float, float]) -> BaseGeometry:
    """``area_in``. Where the CRS has no place for the area, UnsupportedCRS says who has chosen it."""
    try:
        return area_in(crs, lonlat, resolution)
    except UnsupportedCRS as error:
        output, message = request.output, error.message.removesuffix("; choose another")
        if output.geobox is not None:
            raise UnsupportedCRS(f"{message}; choose another grid", pointer="/output/geobox") from error
        if output.crs is not None:
            raise UnsupportedCRS(f"{message}; choose another --crs", pointer="/output/crs") from error
        where = "/aoi" if request.aoi is not None else "/output/crs"
        raise UnsupportedCRS(f"{message}; the scenes are in it: choose a --crs for the area", pointer=where) from error


def _area(request: ExportRequest, scenes: Sequence[Scene]) -> BaseGeometry:
    if request.aoi is not None:
        return shapely.geometry.shape(request.aoi)
    return shapely.union_all([shapely.geometry.shape(scene.footprint) for scene in scenes])


def _within_domain(lonlat: BaseGeometry, crs: str, warnings: list[str], *, cut: bool) -> BaseGeometry:
    """The area, as far as the CRS can hold it. ``cut``: of scenes taken whole, nobody asked for infinity."""
    meant_for = domain(crs)
    if meant_for is None or shapely.covers(meant_for, lonlat):
        return lonlat
    inside = shapely.intersection(lonlat, meant_for)
    if not inside.area:
        raise UnsupportedCRS(f"{crs} is not meant for where the area is; choose another", pointer="/output/crs")
    beyond = f"the area reaches beyond what {crs} is meant for"
    if not cut:
        warnings.append(f"{beyond}; shapes and sizes are distorted there")
        return lonlat
    warnings.append(f"{beyond}; only {_bounds(inside)} is exported")
    return inside


def _bounds(lonlat: BaseGeometry) -> str:
    west, south, east, north = lonlat.bounds
    return f"longitude {west:g} to {east:g}, latitude {south:g} to {north:g}"


def _assets(scenes: Sequence[Scene], bands: Sequence[str]) -> list[Asset]:
    return [
        scene.assets[key] for scene in scenes for key in dict.fromkeys(b.asset for b in scene.bands if b.name in bands)
    ]


def _extent(assets: Sequence[Asset]) -> tuple[float, float, float, float]:
    """The bounds of files of one CRS, in that CRS."""
    corners = [
        Affine(*asset.transform) @ corner
        for asset in assets
        for corner in itertools.product((0, asset.shape[1]), (0, asset.shape[0]))
    ]
    x, y = zip(*corners, strict=True)
    return min(x), min(y), max(x), max(y)


def _common_crs(assets: Sequence[Asset]) -> str | None:
    found = {asset.crs for asset in assets}
    return found.pop() if len(found) == 1 else None


def _tidy(native: float, assets: Sequence[Asset], crs: str) -> float:
    """``native`` where it is some file's very own; else a round number a little finer, the same for neighbours."""
    own = [abs(size) for asset in assets for size in (asset.transform[0], asset.transform[4])]
    nearest = min(own, key=lambda value: abs(value - native))
    if abs(nearest - native) <= _SAME * native:
        return nearest
    if not (math.isfinite(native) and native > 0):
        raise InvalidRequest(f"the scenes have no size in {crs}; give a --resolution", pointer="/output/resolution")
    step = 10.0 ** (math.floor(math.log10(native)) - 1)
    return float(f"{math.floor(native / step) * step:.2g}")
