"""What a user asks for. The CLI, a graph's own nodes and later the API all end here."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from cutline.models.base import GeoJSON, Model
from cutline.models.grid import Geobox

MosaicRule = Literal["first", "newest", "oldest", "least-cloud", "highest", "lowest", "mean", "median"]
Resampling = Literal["nearest", "bilinear", "cubic", "average", "mode"]
ProfileName = Literal["deflate", "zstd", "lerc", "jpeg", "webp", "none"]


class MaskRequest(Model):
    """Which asset or band masks a scene, and which of its values (or set bits) mean "do not use"."""

    asset: str
    values: tuple[int, ...] = ()
    bits: tuple[int, ...] = ()


class SceneRequest(Model):
    """One scene: by a single file or STAC item, by one file per band (band name -> href), or a STAC item by value."""

    href: str | None = None
    assets: dict[str, str] = Field(default_factory=dict)
    item: dict[str, Any] | None = None
    """Relative hrefs in it are taken from its self link"""


class Source(Model):
    """The imagery, in the user's order."""

    scenes: tuple[SceneRequest, ...] = Field(min_length=1)
    band_names: tuple[str, ...] = ()
    """Names for the bands of every file, in order; () takes them from the files"""
    mask: MaskRequest | None = None
    stretch: tuple[float, float] | None = None
    """Percentiles of each whole scene that become 0 and 255"""
    temporal: tuple[str | None, str | None] | None = None
    """RFC 3339 half-open interval [start, end) that scenes must lie in"""


class ProcessNode(Model):
    """A node of an openEO process graph (https://api.openeo.org/#section/Processes/Process-Graphs)."""

    process_id: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    result: bool = False
    description: str | None = None
    namespace: str | None = None


ProcessGraph = dict[str, ProcessNode]


class OutputRequest(Model):
    """The grid and the file. None means: decide sensibly, and say so in the plan."""

    crs: str | None = None
    resolution: float | None = Field(default=None, gt=0)
    """Units of the CRS per pixel"""
    geobox: Geobox | None = None
    """An exact grid (``--like``); excludes crs and resolution"""
    resampling: Resampling | None = None
    """None: bilinear, but nearest for classes"""
    profile: ProfileName = "deflate"
    level: int | None = None
    """How hard the profile's codec works, or its quality; None: the profile's own"""
    dtype: str | None = None
    scale: float | None = None
    """Store round((value - offset) / scale); needs an integer dtype"""
    offset: float | None = None
    nodata: float | None = None


class ExportRequest(Model):
    """One export."""

    source: Source
    process: ProcessGraph
    """Pointwise only: loading, spatial, mosaic and save nodes have become fields (see process.lower)"""
    aoi: GeoJSON | None = None
    """A MultiPolygon in lon/lat, valid; None: the scenes' footprint"""
    output: OutputRequest = OutputRequest()
    mosaic: MosaicRule = "first"
