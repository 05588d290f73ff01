"""The plan of an export: everything that decides a pixel or a byte, and nothing that does not. Immutable."""

from __future__ import annotations

from typing import Literal

from cutline.models.base import GeoJSON, Model
from cutline.models.grid import Geobox
from cutline.models.request import ProcessGraph, ProfileName, Resampling
from cutline.models.scene import Scene

Reducer = Literal["first", "highest", "lowest", "mean", "median", "time"]
"""How the scenes of a pixel become one. ``time``: not at all, the process graph reduces over them itself."""


class CogSpec(Model):
    """The file: what each pixel is stored as, and how it is encoded."""

    bands: tuple[str, ...]
    """Descriptions, in order"""
    dtype: str
    profile: ProfileName
    nodata: float | None
    """The value of a pixel without data; None with ``masked``"""
    masked: bool
    """An internal 1-bit mask says which pixels hold data"""
    planar: bool
    """Each band in blocks of its own (PlanarConfiguration 2) instead of pixel by pixel"""
    overview: Literal["average", "nearest"]
    level: int | None = None
    """How hard the codec works, or its quality; None: the profile's own"""
    scale: float = 1.0
    """value = stored · scale + offset, for readers"""
    offset: float = 0.0


class TilePlan(Model):
    """One tile that has something to render."""

    row: int
    col: int
    """Position in the tiling"""
    scenes: tuple[int, ...]
    """Indices into the plan's scenes whose footprint touches the tile, in mosaic order"""
    pixels: int
    """Inside the area: what there is to do at most"""
    key: str
    """Hash of all that decides this tile's bytes: work already done under this key can be used again"""


class ExportPlan(Model):
    """What ``render`` and ``assemble`` work from."""

    schema_version: Literal[1] = 1
    engine: str
    """Name and version of what computes: a new engine never reuses an old one's segments"""
    graph: ProcessGraph
    bands: tuple[str, ...]
    """The bands that the graph reads, in the order it gets them"""
    band_dtypes: tuple[str, ...]
    """What the numbers of each band are, before any computing: a stretched band is uint8"""
    scenes: tuple[Scene, ...]
    """In mosaic order"""
    reducer: Reducer
    stored: bool
    """The graph only selects bands and all scenes are scaled alike: pixels stay the stored numbers"""
    dtype: str
    """What pixels are when they are mosaicked and enter the graph"""
    packed: bool
    """Results are stored as (value - offset) / scale of the ``cog``; else its scale and offset only describe them"""
    resampling: Resampling
    geobox: Geobox
    area: GeoJSON
    """What was asked for, or the scenes' footprint: a polygon in lon/lat, split at the antimeridian"""
    across_180: bool
    """The geobox goes on to the right of the antimeridian"""
    cutline: str
    """The AOI in the CRS of the geobox, as WKB in hexadecimal"""
    cog: CogSpec
    edge: int
    """Pixels along a tile's side"""
    tiles: tuple[TilePlan, ...]
    pixels: int
    """How many are inside the cutline"""
    warnings: tuple[str, ...] = ()
