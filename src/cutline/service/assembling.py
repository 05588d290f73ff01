"""The state Assemble: finished tiles become one COG and its STAC item, in the exports bucket.

Nobody's word is taken that the tiles are there: each has a receipt, or the export fails with the cause of what is
missing.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile

from cutline.cog.assemble import Assembly, prepare
from cutline.cog.checksum import crc64_text
from cutline.cog.receipts import read_receipt
from cutline.errors import Conflict, CutlineError, IncompleteExport, InternalError, NotFound
from cutline.item import cog_item
from cutline.models.plan import ExportPlan
from cutline.models.receipt import Segment, TileReceipt
from cutline.models.record import ExportRecord, Failure, Result
from cutline.models.task import Assembled, AssembleTask
from cutline.quicklook import quicklook
from cutline.service.attempts import needed
from cutline.service.boundary import logger
from cutline.service.settling import files_of
from cutline.settings import service
from cutline.store.bucket import Bucket
from cutline.store.multipart import Joined, Source, join
from cutline.store.plans import Plans
from cutline.store.records import Records
from cutline.store.s3_workspace import S3Workspace
from cutline.tags import tags_of

COG_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
ITEM_TYPE = "application/geo+json"
PICTURE_TYPE = "image/png"
_READERS = 32
"""Receipts that are asked for at once"""


def assemble_export(task: AssembleTask) -> Assembled:
    """Join an attempt's tiles; run again, it makes the same and does no more than it has to.

    Raises the first recorded failure of a tile where tiles are missing, IncompleteExport where none was recorded, and
    Conflict where the attempt is no longer wanted: nothing is completed then.
    """
    now = service()
    records = Records(now.table)
    record = needed(records, task)
    plan = Plans(now.work_bucket).read(task)
    # What was finished for this attempt may be used to its end, however old.
    workspace = S3Workspace(now.work_bucket, fresh=None)
    assembly = prepare(plan, _receipts(records, task, plan, workspace), workspace, tags_of(plan))
    cog_key, item_key = (f"{files_of(record)}{record.name}{suffix}" for suffix in (".tif", ".json"))
    etag = join(_joined(assembly, workspace), now.exports_bucket, cog_key, lambda: _check(records, task))
    cog_href, item_href = (f"s3://{now.exports_bucket}/{key}" for key in (cog_key, item_key))
    receipt = assembly.receipt(plan, cog_href, checksum=None, etag=etag)
    item = cog_item(plan, receipt, record.name, f"{record.name}.tif")
    content = json.dumps(item, indent=2, allow_nan=False).encode() + b"\n"
    Bucket(now.exports_bucket).write(item_key, content, ITEM_TYPE)
    made = Assembled(cog_href=cog_href, item_href=item_href, nbytes=assembly.nbytes)
    _finish(records, record, _result(assembly, made, etag, _draw(assembly, workspace, cog_href)))
    return made


def _check(records: Records, task: AssembleTask) -> None:
    needed(records, task)


def _receipts(
    records: Records, task: AssembleTask, plan: ExportPlan, workspace: S3Workspace
) -> list[TileReceipt | None]:
    with ThreadPoolExecutor(_READERS) as threads:
        receipts = list(threads.map(lambda tile: read_receipt(tile, workspace), plan.tiles))
    if None in receipts:
        for failure in records.failures(task.export_id, task.attempt):
            raise _final(failure)
        tile = plan.tiles[receipts.index(None)]
        missing = receipts.count(None)
        raise IncompleteExport(
            f"tile ({tile.row}, {tile.col}) has no receipt, one of {missing:,} of {len(receipts):,}; retry goes on "
            "from the others"
        )
    return receipts


def _final(failure: Failure) -> CutlineError:
    """A tile's failure, under its own code. It was tried again as often as is worth it: for the state machine it is
    final, whatever it was then."""
    error = IncompleteExport(failure.message, pointer=failure.pointer)
    error.code = failure.code
    return error


def _joined(assembly: Assembly, workspace: S3Workspace) -> Joined:
    return Joined(
        header=assembly.header,
        bucket=workspace.bucket,
        sources=[
            Source(workspace.key(segment.name), segment.nbytes, _etag(segment), segment.crc64)
            for segment in assembly.segments
        ],
        crc64=assembly.crc64,
        sha256=assembly.segments_sha256,
        content_type=COG_TYPE,
    )


def _etag(segment: Segment) -> str:
    if segment.etag is None:
        raise InternalError(f"{segment.name} was not written to S3")
    return segment.etag


def _draw(assembly: Assembly, workspace: S3Workspace, cog_href: str) -> str | None:
    """Put a picture beside the COG. Returns its address; None where nothing is to be seen, or drawing failed: a picture
    is worth no export."""
    smallest = takewhile(lambda segment: segment.level == assembly.segments[0].level, assembly.segments)
    pieces = [workspace.get(segment.name) for segment in smallest]
    if not pieces or None in pieces:
        return None
    try:
        picture = quicklook(b"".join([assembly.header, *filter(None, pieces)]))
    except Exception:  # whatever GDAL finds in a picture
        logger.exception("there is no quick-look")
        return None
    href = f"{cog_href.removesuffix('.tif')}.png"
    bucket, _, key = href.removeprefix("s3://").partition("/")
    Bucket(bucket).write(key, picture, PICTURE_TYPE)
    return href


def _result(assembly: Assembly, made: Assembled, etag: str, picture: str | None) -> Result:
    return Result(
        cog_href=made.cog_href,
        item_href=made.item_href,
        etag=etag,
        nbytes=made.nbytes,
        crc64nvme=crc64_text(assembly.crc64),
        segments_sha256=assembly.segments_sha256,
        quicklook_href=picture,
    )


def _finish(records: Records, record: ExportRecord, result: Result) -> None:
    try:
        records.move(record, record.status, earlier=(record.status,), result=result)
    except (Conflict, NotFound):
        if _given_up(records, record):  # between the last look and now
            Bucket(service().exports_bucket).remove_under(f"{files_of(record)}{record.name}.")
        raise


def _given_up(records: Records, record: ExportRecord) -> bool:
    """Whether the export was cancelled or deleted, so that nobody waits for its file or will remove it."""
    try:
        known = records.get(record.export_id)
    except NotFound:
        return True
    return known.status == "CANCELLED" or known.deleted_at is not None
