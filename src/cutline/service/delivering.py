"""A finished COG is brought to its targets. Each kind of target is one entry of TARGETS, and knows no other.

A delivery that a target refuses fails alone: its record says why, and the export's COG is kept.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Literal, Protocol
from urllib.parse import quote, urlsplit

from cutline.errors import Conflict, CutlineError, DeliveryRejected, NotFound, TransientError
from cutline.models.record import DeliveryRecord, ExportRecord, Failure, Result, now
from cutline.models.task import Delivered, DeliveryTask
from cutline.settings import service
from cutline.store.bucket import Bucket
from cutline.store.records import Records

LINK_SECONDS = 15 * 60
"""How long a signed address works. It dies with the role's session anyway, so what users keep is our own address,
which redirects to a fresh one"""

File = Literal["cog", "item"]
_SUFFIX: dict[File, str] = {"cog": ".tif", "item": ".json"}


class Target(Protocol):
    """Somewhere that a COG can be brought to."""

    def deliver(self, record: ExportRecord, delivery: DeliveryRecord) -> DeliveryRecord:
        """Go on bringing it there, and say how far it came: ``state`` is "done", or "running" where the time of this
        invocation ended and the next shall go on. Doing it twice leaves one copy.

        Raises TransientError for what is worth trying again, and any other CutlineError for what is not.
        """
        ...


class Link:
    """The COG stays with us, and its owner gets an address."""

    def deliver(self, record: ExportRecord, delivery: DeliveryRecord) -> DeliveryRecord:
        result = _result(record)
        bucket, key = _place(result.cog_href)
        if (size := Bucket(bucket).size(key)) != result.nbytes:
            found = "is gone" if size is None else f"has {size:,} bytes instead of {result.nbytes:,}"
            raise DeliveryRejected(f"the COG {found}; retry makes it again")
        receipt = {"uri": download_url(record), "nbytes": result.nbytes, "checksum": f"crc64nvme:{result.crc64nvme}"}
        return delivery.model_copy(update={**receipt, "state": "done"})


TARGETS: dict[str, Callable[[], Target]] = {"link": Link}
"""A delivery's kind -> what brings a COG there"""


def deliver(task: DeliveryTask) -> Delivered:
    """Go on with one delivery. Raises TransientError, for the state machine to try again, and nothing else of ours."""
    records = Records(service().table)
    record = records.get(task.export_id)
    delivery = _delivery(records, task)
    if delivery.state == "done":
        return Delivered(done=True, delivered=True)
    try:
        if record.attempt != task.attempt or record.status != "DELIVERING":
            raise Conflict(f"the export is {record.status} in attempt {record.attempt}")
        if delivery.kind not in TARGETS:
            raise DeliveryRejected(f"deliveries of kind {delivery.kind} are not made; {', '.join(TARGETS)} are")
        after = TARGETS[delivery.kind]().deliver(record, delivery)
    except CutlineError as error:
        why = Failure(code=error.code, message=error.message)
        passing = isinstance(error, TransientError)
        state = "running" if passing else "failed"
        records.put_delivery(task.export_id, delivery.model_copy(update={"state": state, "error": why, "at": now()}))
        if passing:
            raise
        return Delivered(done=True, delivered=False)
    records.put_delivery(task.export_id, after.model_copy(update={"error": None, "at": now()}))
    done = after.state == "done"
    return Delivered(done=done, delivered=done)


def link_for(record: ExportRecord, kind: File = "cog") -> str:
    """A signed address of the COG or of its STAC item, good for minutes. Raises NotFound where there is none yet."""
    result = _result(record)
    bucket, key = _place(result.cog_href if kind == "cog" else result.item_href)
    disposition = content_disposition(record.name + _SUFFIX[kind])
    return Bucket(bucket).link(key, LINK_SECONDS, ResponseContentDisposition=disposition)


def download_url(record: ExportRecord) -> str:
    """The address that stays: the API's own, which knows who may and redirects."""
    return f"{service().url}/exports/{record.export_id}/download"


def content_disposition(filename: str) -> str:
    """By RFC 6266: the name as it is for those who read RFC 8187, and in plain letters for the others."""
    stem, dot, suffix = filename.rpartition(".")
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    safe = "".join(letter if letter.isalnum() or letter in " ._-()" else "_" for letter in plain).strip(" .")
    return f"attachment; filename=\"{safe or 'export'}{dot}{suffix}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _delivery(records: Records, task: DeliveryTask) -> DeliveryRecord:
    for delivery in records.deliveries(task.export_id):
        if delivery.delivery_id == task.delivery_id:
            return delivery
    raise NotFound(f"export {task.export_id} has no delivery {task.delivery_id}")


def _result(record: ExportRecord) -> Result:
    if record.result is None:
        raise NotFound(f"export {record.export_id} has no file; it is {record.status}")
    return record.result


def _place(href: str) -> tuple[str, str]:
    """Bucket and key of an ``s3://`` address."""
    place = urlsplit(href, allow_fragments=False)
    return place.netloc, href.split("/", 3)[3]
