"""Imagery as the plan records it: scenes, their files (assets) and their channels (bands)."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from cutline.models.base import AffineCoefficients, GeoJSON, Model

Validity = Literal["all", "nodata", "alpha", "mask"]
"""How a file says which pixels hold data: all do; none where all bands equal nodata; an alpha band; a mask."""


class Asset(Model):
    """One raster file, as its header describes it."""

    href: str
    driver: str
    """GDAL's short name. The file is opened with this driver and no other (a VRT can hide behind any name)."""
    crs: str
    """An authority code such as ``EPSG:32633`` where there is one, else WKT2."""
    transform: AffineCoefficients
    shape: tuple[int, int]
    """(rows, cols)"""
    count: int
    dtype: str
    """numpy's name"""
    validity: Validity
    nodata: float | None = None
    alpha: int | None = None
    """1-based position of the alpha band, which is never a data band; 0 there means no data"""
    palette: bool = False
    """Its numbers stand for classes or colours: between two of them lies nothing"""
    overviews: tuple[int, ...] = ()
    """Decimation factors, ascending"""
    identity: str | None = None
    """What changes when the content does: an ETag, else size and modification time. None: never reuse."""


class Stretch(Model):
    """Linear contrast: ``low`` and ``high`` (in the band's physical values) become 0 and 255."""

    low: float
    high: float


class Band(Model):
    """One channel of a scene: value = stored · scale + offset, then the stretch if there is one."""

    name: str
    """A common name (red, nir, …) wherever it is known, else the file's own description, else b1, b2, …"""
    asset: str
    """Key into ``Scene.assets``"""
    index: int = Field(ge=1)
    """1-based position in the file"""
    dtype: str
    scale: float = 1.0
    offset: float = 0.0
    stretch: Stretch | None = None
    wavelength: float | None = None
    """Centre, in micrometres"""


class Mask(Model):
    """A band that says where a scene must not be used: clouds, shadows, defects. Sampled by nearest."""

    asset: str
    index: int = Field(default=1, ge=1)
    values: tuple[int, ...] = ()
    """A pixel with one of these values is not used"""
    bits: tuple[int, ...] = ()
    """A pixel with one of these bits set (0 = least significant) is not used"""


class Scene(Model):
    """One acquisition."""

    id: str
    assets: dict[str, Asset]
    bands: tuple[Band, ...]
    footprint: GeoJSON
    """Polygon or MultiPolygon in lon/lat, split at the antimeridian, around every pixel of every asset"""
    datetime: dt.datetime | None = None
    cloud_cover: float | None = None
    """Percent"""
    mask: Mask | None = None
    item_href: str | None = None
    """Where the scene's STAC item is, if it came from one"""

    def band(self, name: str) -> Band | None:
        return next((band for band in self.bands if band.name == name), None)
