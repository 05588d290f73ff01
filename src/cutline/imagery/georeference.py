"""Where a file says it lies on Earth, or why that cannot be used."""

from __future__ import annotations

import functools
from typing import NamedTuple

import pyproj
import rasterio
from affine import Affine
from pyproj.exceptions import CRSError, ProjError

from cutline.errors import InvalidScene, UnsupportedCRS

EARTH_RADII = (6.3e6, 6.4e6)
"""Metres. Every ellipsoid and sphere in use for Earth lies between; Venus, the nearest other body, has 6.05e6."""


class Georeference(NamedTuple):
    """A CRS (authority code, else WKT2) and the affine of a file."""

    crs: str
    transform: Affine


def georeference(dataset: rasterio.DatasetReader) -> Georeference:
    """The place of ``dataset``. Raises InvalidScene or UnsupportedCRS, saying what would be right."""
    transform = dataset.transform
    if transform.is_identity or transform == Affine(1, 0, 0, 0, -1, 0):
        raise InvalidScene(_unplaced(dataset))
    if dataset.crs is None:
        raise InvalidScene("it does not say its coordinate reference system; assign one (gdal_edit -a_srs)")
    if transform.is_degenerate:
        raise InvalidScene(f"its geotransform {tuple(transform)[:6]} gives pixels no area")
    return Georeference(identify_crs(dataset.crs.to_wkt(version="WKT2_2019")), transform)


@functools.lru_cache(maxsize=256)
def identify_crs(wkt: str) -> str:
    """The horizontal CRS of ``wkt``, as an authority code where one means exactly that. Raises UnsupportedCRS."""
    try:
        crs = _horizontal(pyproj.CRS.from_wkt(wkt))
    except (CRSError, ProjError) as error:
        raise UnsupportedCRS(f"its coordinate reference system is not understood: {error}") from error
    if crs.ellipsoid is None or not (crs.is_geographic or crs.is_projected):
        raise UnsupportedCRS(f"its coordinate reference system {crs.name!r} is not tied to Earth")
    low, high = EARTH_RADII
    if not low < crs.ellipsoid.semi_major_metre < high:
        raise UnsupportedCRS(
            f"its coordinate reference system {crs.name!r} is not Earth's: the body has a radius of "
            f"{crs.ellipsoid.semi_major_metre / 1000:,.0f} km"
        )
    authority = crs.to_authority(min_confidence=100)
    return ":".join(authority) if authority else crs.to_wkt("WKT2_2019")


def _horizontal(crs: pyproj.CRS) -> pyproj.CRS:
    if crs.is_compound:
        crs = crs.sub_crs_list[0]
    return crs.to_2d()


def _unplaced(dataset: rasterio.DatasetReader) -> str:
    if dataset.gcps[0]:
        return "it is placed by ground control points only; warp it first (gdalwarp -tps -t_srs EPSG:…)"
    if dataset.rpcs is not None:
        return "it is placed by RPCs only; orthorectify it first (gdalwarp -rpc -to RPC_DEM=… -t_srs EPSG:…)"
    return "it has no georeference at all; assign one (gdal_translate -a_srs EPSG:… -a_ullr …)"
