"""Exports as their owners see them."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

from cutline.errors import AccessDenied
from cutline.models.api import DeliveryView, ExportPage, ExportView, ResultView, TilesDone
from cutline.models.record import ExportRecord, Progress, Status, now
from cutline.service.addresses import export_url
from cutline.service.callers import Caller
from cutline.settings import service
from cutline.store.latest import latest
from cutline.store.records import Records

ASSEMBLED = ("SUCCESS", "DELIVERING")
"""Statuses in which all tiles are there: assembling has checked it"""
EVERYBODY = "*"
"""As whose exports an admin may list them all"""
_READERS = 8
"""Exports of a list that are looked at at once"""
UNFINISHED = 99.0
"""Percent at most of what is not yet a success: the file still has to be joined and delivered"""


def view_of(record: ExportRecord) -> ExportView:
    """One export, as it is now."""
    records = Records(service().table)
    progress = _progress(record)
    tiles = _tiles(record, records, progress)
    deliveries = (
        DeliveryView.model_validate(delivery.model_dump(include=set(DeliveryView.model_fields)))
        for delivery in records.deliveries(record.export_id)
    )
    result = record.result
    return ExportView(
        **record.model_dump(include=_SAME),
        percent=_percent(record, tiles),
        eta_seconds=_eta(record, progress),
        tiles=tiles,
        deliveries=tuple(deliveries),
        error=record.error,
        result=result and ResultView(**result.model_dump(include=set(ResultView.model_fields))),
        links=_links(record),
    )


def page_of(caller: Caller, *, owner: str | None, status: Status | None, limit: int, cursor: str | None) -> ExportPage:
    """The ``owner``'s exports, newest first: the caller's own where that is None, everybody's where it is ``*``. Raises
    AccessDenied for others' where the caller is no admin, and InvalidRequest for a cursor that is none."""
    owner, table = owner or caller.sub, service().table
    if not caller.may_see(owner):
        raise AccessDenied("only members of the group admin list others' exports; leave owner out to list your own")
    if owner == EVERYBODY:
        found, following = latest(table, status=status, limit=limit, cursor=cursor)
    else:
        found, following = Records(table).of_owner(owner, status=status, limit=limit, cursor=cursor)
    with ThreadPoolExecutor(_READERS) as threads:
        views = threads.map(view_of, found)
    return ExportPage(exports=tuple(views), cursor=following)


_SAME = {
    *("export_id", "owner", "name", "status", "attempt", "created_at", "updated_at", "pixels", "warnings", "origin"),
}
"""Fields that the record and its view share"""


def _progress(record: ExportRecord) -> Progress:
    if record.tiles is None or record.status in ASSEMBLED:
        return Progress(tiles=record.tiles or 0)
    return record.progress


def _tiles(record: ExportRecord, records: Records, progress: Progress) -> TilesDone | None:
    if record.tiles is None:
        return None
    if record.status in ASSEMBLED:
        return TilesDone(planned=record.tiles, done=record.tiles, failed=0)
    return TilesDone(
        planned=record.tiles,
        done=progress.tiles,
        failed=sum(1 for _ in records.failures(record.export_id, record.attempt)),
    )


def _percent(record: ExportRecord, tiles: TilesDone | None) -> float:
    if record.status == "SUCCESS":
        return 100.0
    if not tiles or not tiles.planned:
        return 0.0
    return min(UNFINISHED, math.floor(1000 * tiles.done / tiles.planned) / 10)


def _eta(record: ExportRecord, progress: Progress) -> int | None:
    """Seconds until the last tile, at the rate in pixels since rendering began. Tiles that an earlier attempt had
    rendered are done, but say nothing of the rate."""
    if record.status != "RENDERING" or record.rendering_at is None or not progress.rendered:
        return None
    elapsed = max((now() - record.rendering_at).total_seconds(), 0.0)
    left = max((record.tile_pixels or 0) - progress.pixels, 0)
    return math.ceil(elapsed * left / progress.rendered)


def _links(record: ExportRecord) -> dict[str, str]:
    """What can be asked or done next."""
    parts = ["tiles", "audit", "logs"]
    if not record.ended:
        parts.append("cancel")
    if record.status in ("ERROR", "CANCELLED"):
        parts.append("retry")
    links = {"self": export_url(record.export_id), **{part: export_url(record.export_id, part) for part in parts}}
    if record.result is not None:
        links |= {
            "download": export_url(record.export_id, "download"),
            "item": export_url(record.export_id, "download?asset=item"),
            "share": export_url(record.export_id, "links"),
        }
    if record.origin is not None:
        links["upload"] = f"{service().url}/uploads/{record.origin}"
    return links
