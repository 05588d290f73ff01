"""Areas that users upload, and the requests they keep to export them by."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from cutline.aoi.model import Finding
from cutline.models.base import Model
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
