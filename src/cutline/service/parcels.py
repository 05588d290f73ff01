"""What is brought to a destination: the COG of an export, its STAC item and a manifest, under one name."""

from __future__ import annotations

import base64
import functools
import hashlib
import json

from cutline.deliver.target import COG, ITEM, Parcel
from cutline.errors import DeliveryRejected
from cutline.models.record import DeliveryRecord, ExportRecord, Result
from cutline.models.task import AbandonTask
from cutline.store.bucket import Bucket, place_of


def parcel_of(record: ExportRecord, result: Result, delivery: DeliveryRecord) -> Parcel:
    """Raises DeliveryRejected where the STAC item is gone."""
    (bucket, key), (_, item_key) = place_of(result.cog_href), place_of(result.item_href)
    item = Bucket(bucket).read(item_key)
    if item is None:
        raise DeliveryRejected("the STAC item of the export is gone; retry makes it again")
    return Parcel(
        path=_path_of(record, delivery),
        bucket=bucket,
        key=key,
        etag=result.etag,
        nbytes=result.nbytes,
        crc64nvme=result.crc64nvme,
        item=item,  # which names the COG as its neighbour
        manifest=_manifest(record, result, item),
        read=functools.partial(Bucket(bucket).read_range, key, result.etag),
    )


def rest_of(record: ExportRecord, delivery: DeliveryRecord) -> AbandonTask:
    """What a delivery that has begun left at its destination, to be removed."""
    path, place = _path_of(record, delivery), delivery.destination_id or ""
    return AbandonTask(owner=record.owner, destination_id=place, path=path, cursor=delivery.cursor)


def _path_of(record: ExportRecord, delivery: DeliveryRecord) -> str:
    """Of its files at the destination, without suffix: the folder with all filled in, and the export's name."""
    folder = (delivery.prefix or "").format(name=record.name, date=f"{record.created_at:%Y-%m-%d}", id=record.export_id)
    return f"{folder}/{record.name}" if folder else record.name


def _manifest(record: ExportRecord, result: Result, item: bytes) -> bytes:
    """What has to be there when all is there, for programs to check."""
    digest = base64.b64encode(hashlib.sha256(item).digest()).decode()
    cog = {"name": record.name + COG, "bytes": result.nbytes, "crc64nvme": result.crc64nvme}
    files = [cog, {"name": record.name + ITEM, "bytes": len(item), "sha256": digest}]
    told = {"export": record.export_id, "name": record.name, "files": files}
    return (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()
