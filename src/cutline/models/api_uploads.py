"""What /uploads and /presets take and answer. Apart from the records, which the reader of untrusted files knows too: it
has no use for what comes with the API."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from cutline.aoi.model import Finding
from cutline.models.api import ExportBody
from cutline.models.base import GeoJSON, Model
from cutline.models.record import Failure
from cutline.models.upload import PresetName, Reading, UploadState


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
