"""What is kept of an export while it runs and afterwards: its record, and those of its tiles, deliveries and events.

An export's status moves forward only::

    PENDING ─> SUBMITTED ─> RENDERING ─> DELIVERING ─> SUCCESS
       │           │            │             │
       └───────────┴────────────┴─────────────┴──────> ERROR, CANCELLED ── retry ──> PENDING of the next attempt
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from cutline.models.base import Model

Status = Literal["PENDING", "SUBMITTED", "RENDERING", "DELIVERING", "SUCCESS", "ERROR", "CANCELLED"]
RUNNING: tuple[Status, ...] = ("PENDING", "SUBMITTED", "RENDERING", "DELIVERING")
"""In the order in which they follow each other"""
ENDED: tuple[Status, ...] = ("SUCCESS", "ERROR", "CANCELLED")

TileState = Literal["done", "empty", "failed"]
DeliveryState = Literal["pending", "running", "done", "failed"]
UNDER_WAY: tuple[DeliveryState, ...] = ("pending", "running")
LINK = "link"
"""Kind and id of the delivery that every export has, and that stays with us"""


class Failure(Model):
    """Why something did not come about."""

    code: str
    """Stable, as an error's (errors.py)"""
    message: str
    """One sentence, with the tile and the scene where there is one"""
    pointer: str | None = None


class Result(Model):
    """The finished COG."""

    cog_href: str
    """``s3://`` address; users get a link that redirects there"""
    item_href: str
    etag: str
    nbytes: int
    crc64nvme: str
    """Base64, as S3 gives the checksum of a full object"""
    segments_sha256: str
    """Hexadecimal, over the header and the ordered CRCs of the segments"""
    quicklook_href: str | None = None
    """A small PNG of it, where one could be drawn"""


class ExportRecord(Model):
    """One export, and its latest attempt."""

    export_id: str
    attempt: int = Field(ge=1)
    owner: str
    """The ``sub`` of the user's token"""
    name: str
    """What the file is called, without suffix"""
    status: Status
    created_at: AwareDatetime
    updated_at: AwareDatetime
    request_href: str
    """What was asked for, as it was sent (models/api.py): an area may be larger than a record"""
    pixels: int | None = None
    """Inside the area; known once it is planned"""
    tiles: int | None = None
    """Planned"""
    bytes_min: int | None = None
    """Of the COG, where it compresses as well as imagery seldom does"""
    bytes_max: int | None = None
    """It cannot have more"""
    tile_pixels: int | None = None
    """Of the planned tiles together: what there is to render"""
    rendering_at: AwareDatetime | None = None
    """When this attempt began to render"""
    retried_at: AwareDatetime | None = None
    """When this attempt began, where it is not the first"""
    tiles_done: int = 0
    """Of this attempt, as all that is counted here"""
    pixels_done: int = 0
    pixels_rendered: int = 0
    billed_ms: int = 0
    """Lambda time of its tiles"""
    max_cost: float | None = None
    """US dollars: no new tile begins once the attempt's billed time costs as much"""
    notify: bool = False
    """Its end is told to the owner by mail"""
    notified: int = 0
    """The attempt whose end was told last; 0: none"""
    idempotency: tuple[str, ...] = ()
    """Partition keys of the IDEM# items that lead here"""
    result: Result | None = None
    error: Failure | None = None
    origin: str | None = None
    """The upload that started it, where no person did"""
    warnings: tuple[str, ...] = ()
    deleted_at: AwareDatetime | None = None
    """When its removal began, which may be under way: it cannot be tried again"""

    @property
    def begun_at(self) -> dt.datetime:
        """When this attempt began."""
        return self.retried_at or self.created_at

    @property
    def progress(self) -> Progress:
        return Progress(tiles=self.tiles_done, pixels=self.pixels_done, rendered=self.pixels_rendered)

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def execution_name(self) -> str:
        return f"{self.export_id}-{self.attempt}"


class TileRecord(Model):
    """One tile of an attempt."""

    row: int
    col: int
    attempt: int
    state: TileState
    key: str
    at: AwareDatetime
    pixels: int = 0
    """Inside the area, as planned"""
    billed_ms: int = 0
    reused: bool = False
    """An earlier attempt, or another export, had rendered it"""
    error: Failure | None = None


class GivenUp(Model):
    """Tiles that a child of the map gave up, after all tries."""

    at: AwareDatetime
    tiles: tuple[int, ...]
    """Indices into the plan's; those before the one that failed are done"""
    error: Failure


class Progress(Model):
    """How far the tiles of an attempt are."""

    tiles: int = 0
    """Finished"""
    pixels: int = 0
    """Of those"""
    rendered: int = 0
    """Pixels of those that this attempt rendered itself"""


class DeliveryRecord(Model):
    """One target of an export."""

    delivery_id: str
    """``link``, or follows from the destination and the prefix: the same place is the same delivery"""
    kind: str
    """link, or the kind of its destination"""
    destination_id: str | None = None
    prefix: str | None = None
    """The folder that it goes into, before anything is filled in; a later change of the destination does not move it"""
    execution: str | None = None
    """Its own, by name, where it was asked for after the export had ended, or goes on since; the export does not wait
    for it"""
    state: DeliveryState
    attempt: int
    uri: str | None = None
    nbytes: int | None = None
    checksum: str | None = None
    cursor: dict[str, Any] = Field(default_factory=dict)
    """How far it came, as its target wrote it (deliver/target.py)"""
    moved: bool = False
    """The execution that carries it has written the cursor"""
    handed_over: int = 0
    """How often an execution's hour ended and the next went on"""
    notified: str | None = None
    """The execution of its own whose end was told by mail last, by name"""
    version: int = 0
    """Of the record: who writes it has to have read the latest"""
    at: AwareDatetime | None = None
    error: Failure | None = None

    def carrier(self, export: ExportRecord) -> str:
        """Name of the execution that carries it: nobody else may."""
        return self.execution or export.execution_name


TILE_FAILED = "tile failed"
"""What an event says of a try that failed; its details are row, col and error"""


class Event(Model):
    """Who did what to an export; the rest of its story is in the execution's history."""

    at: AwareDatetime
    what: str
    """submitted, planned, cancelled, retried, downloaded, …"""
    by: str
    """A user's sub, or the function that did it"""
    attempt: int
    details: dict[str, Any] = Field(default_factory=dict)


def now() -> dt.datetime:
    """In UTC, to the millisecond: what is stored sorts as text."""
    instant = dt.datetime.now(dt.UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
