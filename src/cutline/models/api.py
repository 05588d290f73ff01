"""What the HTTP API takes and answers. An ExportBody is a request in JSON, with the short forms of the command line."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Discriminator, Field, Tag, WithJsonSchema, model_validator

from cutline.aoi.model import Finding
from cutline.models.base import GeoJSON, Interval, Model
from cutline.models.destination import Prefix
from cutline.models.record import DeliveryState, Failure, Status, TileState
from cutline.models.request import MaskRequest, MosaicRule, ProfileName, Resampling

MAX_SCENES = 1000
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True)]
YesNo = Annotated[bool, Field(strict=True)]
MAX_NAME = 100
"""Characters of an export's name"""
Dtype = Literal["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
BandName = Annotated[str, Field(min_length=1, max_length=100)]
Href = Annotated[str, Field(min_length=1, max_length=8192, description="An https://, http:// or s3:// address")]

StacItem = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "title": "StacItem",
            "description": "A STAC item (1.0 or 1.1) by value",
            "required": ["type", "id", "properties", "assets"],
            "properties": {
                "type": {"const": "Feature", "type": "string"},
                "id": {"type": "string"},
                "properties": {"type": "object"},
                "assets": {"type": "object"},
            },
        }
    ),
]
BandFiles = Annotated[dict[BandName, Href], Field(min_length=1, max_length=1000)]


def _form(scene: Any) -> str:
    if not isinstance(scene, dict):
        return "href"
    return "item" if scene.get("type") == "Feature" or "assets" in scene else "files"


SceneSource = Annotated[
    Annotated[Href, Tag("href")] | Annotated[StacItem, Tag("item")] | Annotated[BandFiles, Tag("files")],
    Discriminator(_form),
]
"""A file or a STAC item by its address, a STAC item by value, or one file per band"""

Area = Annotated[
    GeoJSON,
    WithJsonSchema(
        {
            "type": "object",
            "title": "Area",
            "description": "GeoJSON in longitude and latitude: a Polygon, a MultiPolygon, or features that have those",
            "required": ["type"],
            "properties": {
                "type": {
                    "type": "string",
                    "enum": ["Polygon", "MultiPolygon", "GeometryCollection", "Feature", "FeatureCollection"],
                }
            },
        }
    ),
]

Graph = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "title": "ProcessGraph", "description": "An openEO process graph"}),
]


class StacQuery(Model):
    """A search in a STAC API; what it finds become the scenes, in its order."""

    url: Href = Field(description="The API's landing page")
    collections: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field(default=(), max_length=50)
    bbox: tuple[Number, Number, Number, Number] | None = Field(
        default=None, description="west, south, east, north in degrees; by default the bounds of the area"
    )
    datetime: str | None = Field(default=None, max_length=100, description="An instant or an interval, as in STAC")
    filter: dict[str, Any] | Annotated[str, Field(max_length=4000)] | None = Field(
        default=None, description="CQL2, as JSON or as text"
    )
    limit: Whole = Field(default=100, ge=1, le=MAX_SCENES, description="Scenes at most")


class SourceBody(Model):
    """The imagery: ``scenes``, or a ``stac`` search. Neither where the process graph loads its own."""

    scenes: tuple[SceneSource, ...] | None = Field(default=None, min_length=1, max_length=MAX_SCENES)
    stac: StacQuery | None = None
    band_names: tuple[BandName, ...] = Field(
        default=(), max_length=1000, description="Names for the bands of every file, in order"
    )
    mask: MaskRequest | None = None
    stretch: tuple[Number, Number] | None = Field(
        default=None, description="Percentiles of each whole scene that become 0 and 255", examples=[[2, 98]]
    )
    datetime: str | None = Field(
        default=None,
        max_length=100,
        description="Use only scenes of this time, START/END; .. is open; a day as END is included",
        examples=["2024-06-01/2024-09-01"],
    )

    @model_validator(mode="after")
    def _one_way(self) -> SourceBody:
        if self.scenes is not None and self.stac is not None:
            raise ValueError("scenes and stac both say which scenes; choose one")
        return self


class OutputBody(Model):
    """The grid and the file; what is left out is decided sensibly."""

    crs: str | None = Field(default=None, min_length=1, max_length=10_000, examples=["EPSG:3857"])
    resolution: Number | None = Field(default=None, gt=0, description="Units of the CRS a pixel")
    resampling: Resampling | None = None
    profile: ProfileName | None = Field(default=None, description="How pixels are encoded; by default deflate")
    level: Whole | None = Field(default=None, ge=1, le=100, description="How hard the codec works, or its quality")
    dtype: Dtype | None = None
    scale: Number | None = Field(default=None, gt=0, description="Store (value - offset) / scale")
    offset: Number | None = None
    nodata: Number | Literal["NaN"] | None = None
    like: Href | None = Field(default=None, description="Take the very grid of this file")


class LinkDelivery(Model):
    """A link to download from, which is always there."""

    kind: Literal["link"] = "link"


class DestinationDelivery(Model):
    """A destination of one's own, made by POST /destinations."""

    kind: Literal["destination"]
    destination_id: str = Field(pattern=r"^[0-9a-f]{24}$", description="As destination_id of a destination")
    prefix: Prefix | None = Field(default=None, description="The folder, instead of the destination's own")


class NotifyBody(Model):
    """Who is told of the end."""

    email: YesNo = Field(default=False, description="A mail to the address of the account")


ExportName = Annotated[
    str,
    Field(
        max_length=MAX_NAME,
        pattern=r"^\w([\w .-]*\w)?$",
        description="What the file is called, without suffix: letters, digits, and . - _ or spaces between",
        examples=["north-field"],
    ),
]


class ExportBody(Model):
    """An export. At most one of ``bands``, ``process`` and ``expression`` says what to compute."""

    name: ExportName | None = None
    source: SourceBody = SourceBody()
    bands: tuple[BandName, ...] | None = Field(default=None, min_length=1, max_length=1000)
    process: Annotated[str, Field(min_length=1, max_length=100)] | Graph | None = Field(
        default=None, description="An index by its name, such as ndvi, or an openEO process graph"
    )
    expression: str | None = Field(default=None, min_length=1, max_length=4000, examples=["(nir-red)/(nir+red)"])
    color: str | None = Field(default=None, min_length=1, max_length=400, examples=["gamma RGB 1.1 saturation 1.2"])
    aoi: Area | None = Field(default=None, description="By default all of the scenes")
    aoi_href: Href | None = Field(default=None, description="The area of an upload, as GET /uploads/{id} names it")
    repair: YesNo = Field(default=False, description="Repair an invalid area instead of refusing it")
    mosaic: MosaicRule | None = None
    output: OutputBody = OutputBody()
    deliveries: tuple[Annotated[LinkDelivery | DestinationDelivery, Discriminator("kind")], ...] = Field(
        default=(LinkDelivery(),), max_length=10, description="Where the file goes, beside its link"
    )
    notify: NotifyBody = NotifyBody()
    max_cost: Number | None = Field(
        default=None, ge=1e-9, le=1e6, description="US dollars. No new tile begins once so much Lambda time is billed"
    )

    @model_validator(mode="after")
    def _agrees(self) -> ExportBody:
        said = [name for name in ("bands", "process", "expression") if getattr(self, name) is not None]
        if len(said) > 1:
            raise ValueError(f"{' and '.join(said)} both say what to compute; choose one")
        if self.aoi is not None and self.aoi_href is not None:
            raise ValueError("aoi and aoi_href both say where; choose one")
        return self


# What is answered -----------------------------------------------------------------------------------------------


class TilesDone(Model):
    """Of the current attempt."""

    planned: int
    done: int
    """Finished, those without data included"""
    failed: int


class DeliveryView(Model):
    """One target of an export, and how far it is."""

    delivery_id: str
    kind: str
    destination_id: str | None = None
    prefix: str | None = None
    state: DeliveryState
    uri: str | None = None
    nbytes: int | None = None
    checksum: str | None = None
    at: AwareDatetime | None = None
    error: Failure | None = None


class ResultView(Model):
    """The finished COG, which ``links.download`` leads to."""

    nbytes: int
    etag: str
    crc64nvme: str = Field(description="CRC-64/NVME of the whole file, in Base64")
    segments_sha256: str


class ExportView(Model):
    """An export as its owner sees it."""

    export_id: str
    owner: str = Field(description="The sub of whose it is")
    name: str
    status: Status
    attempt: int
    created_at: AwareDatetime
    updated_at: AwareDatetime
    percent: float = Field(ge=0, le=100, description="Of the tiles of this attempt; 100 is a finished export")
    eta_seconds: int | None = Field(default=None, description="As long as it renders, once the first tiles are done")
    tiles: TilesDone | None = Field(default=None, description="Known once it is planned")
    pixels: int | None = Field(default=None, description="Inside the area; known once it is planned")
    warnings: tuple[str, ...] = ()
    deliveries: tuple[DeliveryView, ...] = ()
    error: Failure | None = None
    result: ResultView | None = None
    origin: str | None = Field(default=None, description="The upload that it came from")
    links: dict[str, str] = Field(description="self and, as far as there are such, tiles, download, share, audit, …")


class ExportPage(Model):
    """Exports, newest first."""

    exports: tuple[ExportView, ...]
    cursor: str | None = Field(default=None, description="For the next page; null on the last one")


class EstimateView(Model):
    """What an export would take. Pixels and tiles are exact, and the file cannot be larger than ``bytes_max``."""

    pixels: int
    tiles: int
    tile_edge: int
    rows: int
    cols: int
    bands: int
    dtype: str
    crs: str
    resolution: tuple[float, float]
    scenes: int
    raw_bytes: int
    bytes_min: int
    bytes_max: int
    seconds: Interval
    cost_usd: Interval = Field(description="Lambda, Step Functions, S3 and DynamoDB; without storage and egress")
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = Field(default=(), description="About the area")


class TileProperties(Model):
    row: int
    col: int
    state: TileState | Literal["planned"]
    reused: bool = False
    at: AwareDatetime | None = None
    error: Failure | None = None


class TileFeature(Model):
    """One tile; its corners in longitude and latitude."""

    type: Literal["Feature"] = "Feature"
    id: str
    geometry: GeoJSON
    properties: TileProperties


class TileCollection(Model):
    """The tiles of an export's current attempt: GeoJSON."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: tuple[TileFeature, ...]
    number_matched: int = Field(serialization_alias="numberMatched", description="Tiles in all")
    cursor: str | None = Field(default=None, description="For the next page; null on the last one")


class LimitsView(Model):
    """What one account may take."""

    pixels_a_month: int
    exports_at_once: int
    pixels_an_export: int
    aoi_vertices: int
    bytes_a_month: int
    downloads_a_minute: int
    downloads_in_a_row: int
    destinations: int
    deliveries_at_once: int


class UseView(Model):
    """What this account has taken."""

    exports_running: int
    pixels_this_month: int
    bytes_this_month: int = Field(description="That left, or are set aside for downloads that have begun")


class MeView(Model):
    """Who asks, what they may take and what they have taken."""

    sub: str
    username: str
    admin: bool
    limits: LimitsView
    used: UseView


class Health(Model):
    status: Literal["ok"] = "ok"
    version: str


class ConfigView(Model):
    """What a client has to know to sign in. Public."""

    authorize_url: str
    token_url: str
    client_id: str
    scope: str
    version: str
    url: str
    basemap: str
    """Address of the tiles or style that maps are drawn over; empty: none"""


class Wrong(Model):
    """One of several things that are wrong with a request."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(Model):
    """RFC 9457. ``code`` is stable; ``pointer`` is a JSON pointer (RFC 6901) into the body that was sent."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    pointer: str | None = None
    parameter: str | None = Field(default=None, description="The query parameter or header that is wrong")
    errors: tuple[Wrong, ...] | None = Field(default=None, description="All that is wrong, where that is more")
    findings: tuple[Finding, ...] | None = Field(default=None, description="What is wrong with the area, and where")
    request_id: str | None = Field(default=None, description="To be named when asking those who run this")
