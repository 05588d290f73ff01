"""Areas that users upload, and the requests they keep to export them by."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from cutline.aoi.model import Finding
from cutline.models.api import ExportBody
from cutline.models.base import GeoJSON, Model
from cutline.models.record import Failure

UploadState = Literal["WAITING", "READY", "REJECTED"]
"""No file has come yet, or nobody has read it; its area can be exported; it cannot, and the findings say why"""

MAX_BYTES = 100 << 20
"""Of a file. The reader's own limits lie in aoi/; what a zip may unpack to, too"""

PRESET_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
PresetName = Annotated[str, Field(pattern=PRESET_NAME, examples=["ndvi-weekly"])]


class Reading(Model):
    """How a vector file is to be read, as ``cutline aoi check`` has it."""

    layer: str | None = Field(default=None, max_length=200, description="Which layer, where there are several")
    where: str | None = Field(
        default=None, max_length=1000, description="Which features", examples=["name = 'North field'"]
    )
    crs: str | None = Field(default=None, max_length=10_000, description="The CRS, where the file does not say")
    repair: bool = Field(default=False, strict=True, description="Repair what can be repaired instead of refusing it")


class UploadRecord(Model):
    """One vector file: what was uploaded, what is in it, and what came of it."""

    upload_id: str
    owner: str
    key: str
    """In the inbox bucket"""
    filename: str
    state: UploadState
    created_at: AwareDatetime
    updated_at: AwareDatetime
    reading: Reading = Reading()
    preset: str | None = None
    """The stored request that exports it as soon as it is read"""
    content: str | None = None
    """Which content of the key was read: its version, else its ETag"""
    version: str | None = None
    """Of the object, in a bucket that keeps versions"""
    findings: tuple[Finding, ...] = ()
    area_km2: float | None = None
    vertices: int | None = None
    bounds: tuple[float, float, float, float] | None = None
    """west, south, east, north in degrees; west > east over the antimeridian"""
    aoi_href: str | None = None
    """``s3://`` address of the area as GeoJSON, which never changes"""
    export_id: str | None = None
    error: Failure | None = None
    """Why it has not been exported"""


class PresetRecord(Model):
    """A request without an area, under a name."""

    owner: str
    name: PresetName
    body: str
    """An ExportBody as JSON text: DynamoDB's numbers are not JSON's"""
    created_at: AwareDatetime


# What the API takes and answers ---------------------------------------------------------------------------------


class NewUpload(Reading):
    """A file that is to come, and how it is to be read."""

    filename: str = Field(
        min_length=1, max_length=300, description="Its suffix says what it is", examples=["field.zip"]
    )
    preset: PresetName | None = Field(default=None, description="Export it by this preset as soon as it is read")


class UploadForm(Model):
    """Where the file goes: POST it as multipart/form-data, these fields first, the file last, in a field ``file``."""

    url: str
    fields: dict[str, str]
    max_bytes: int
    seconds: int = Field(description="For so long the form can be used")


class UploadView(Model):
    """An upload as its owner sees it."""

    upload_id: str
    filename: str
    state: UploadState
    created_at: AwareDatetime
    updated_at: AwareDatetime
    reading: Reading
    preset: str | None = None
    findings: tuple[Finding, ...] = ()
    area_km2: float | None = None
    vertices: int | None = None
    bounds: tuple[float, float, float, float] | None = Field(
        default=None, description="west, south, east, north; west > east over the antimeridian"
    )
    aoi_href: str | None = Field(default=None, description="For the aoi_href of an export")
    geometry: GeoJSON | None = Field(default=None, description="The area, where it is small and asked for by id")
    export_id: str | None = Field(default=None, description="What its preset has made of it")
    error: Failure | None = Field(default=None, description="Why its preset has made nothing of it")
    form: UploadForm | None = Field(default=None, description="In the answer to POST /uploads only")
    links: dict[str, str] = Field(description="self and, as far as there are such, geojson, original, export")


class UploadPage(Model):
    """Uploads, newest first."""

    uploads: tuple[UploadView, ...]
    cursor: str | None = Field(default=None, description="For the next page; null on the last one")


class PresetView(Model):
    """A preset as its owner sees it."""

    name: str
    body: ExportBody
    created_at: AwareDatetime
    inbox: str = Field(description="Files that are dropped into this folder are exported by the preset")


class PresetList(Model):
    """Presets by name."""

    presets: tuple[PresetView, ...]
