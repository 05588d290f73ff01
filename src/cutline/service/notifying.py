"""The end of an export is told: to its owner by mail, and to their webhooks. Neither waits for the other, and an export
does not depend on either."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter

from cutline.errors import DeliveryRejected, NotFound, TooLarge
from cutline.models.notification import MailWish, Notice, Preferences, WebhookNotice
from cutline.models.record import DeliveryRecord, ExportRecord
from cutline.models.task import ExportTask
from cutline.notify.letter import Enclosed, written
from cutline.notify.message import composed
from cutline.service import webhook_sending
from cutline.service.addresses import download_url, export_url
from cutline.service.boundary import logger
from cutline.service.sharing import share
from cutline.settings import service
from cutline.store import mail
from cutline.store.bucket import Bucket, place_of
from cutline.store.records import Records
from cutline.store.webhooks import Accounts

SMALL = 5_000_000
"""Bytes of a file that may be attached, if fewer"""
TOLD = ("SUCCESS", "ERROR")
"""Ends that mails tell of; who cancels knows"""
_NOTICE: TypeAdapter[Notice] = TypeAdapter(Notice)


def notify(task: ExportTask) -> None:
    """Tell of the end of an attempt, once. Raises TransientError, and DeliveryRejected where the mail is refused."""
    records = Records(service().table)
    record = records.get(task.export_id)
    if record.attempt != task.attempt or not record.ended:
        return
    # Those that were asked for afterwards have executions of their own, and no part in this end.
    deliveries = [each for each in records.deliveries(task.export_id) if each.execution is None]
    try:
        webhook_sending.announce(record, deliveries)
    finally:
        _write_to_owner(records, record, deliveries)


def take(message: dict[str, Any], tries: int) -> None:
    """What a message of the notify queue asks for."""
    del tries  # the queue's business
    notice = _NOTICE.validate_python(message)
    if isinstance(notice, WebhookNotice):
        webhook_sending.send(notice)
        return
    try:
        notify(ExportTask(export_id=notice.export_id, attempt=notice.attempt))
    except (NotFound, DeliveryRejected) as error:  # deleted meanwhile, or no mail goes there: not even the next time
        logger.warning(f"nobody was told: {error.message}", extra=notice.model_dump())


def _write_to_owner(records: Records, record: ExportRecord, deliveries: Sequence[DeliveryRecord]) -> None:
    settings = service()
    if record.status not in TOLD or not settings.sender:  # or a deployment without mail
        return
    preferences = Accounts(settings.table).preferences(record.owner)
    if not _wants(preferences.email, record):
        return
    address = mail.address_of(settings.user_pool, record.owner)
    if address is None or not records.mark_notified(record):
        return
    try:
        mail.send(settings.sender, address, _message(record, deliveries, preferences, address))
    except Exception:
        records.unmark_notified(record)
        raise


def _wants(wish: MailWish, record: ExportRecord) -> bool:
    wants = {"asked": record.notify, "always": True, "failures": record.status == "ERROR", "never": False}
    return wants[wish]


def _message(
    record: ExportRecord, deliveries: Sequence[DeliveryRecord], preferences: Preferences, address: str
) -> bytes:
    result = record.result
    picture = _content(result.quicklook_href) if result and result.quicklook_href else None
    small = result is not None and result.nbytes < SMALL and record.status == "SUCCESS"
    file = _content(result.cog_href) if result and small and preferences.attach else None
    download, until = _way_to(record, preferences) if result else (None, None)
    enclosed = Enclosed(
        url=export_url(record.export_id),
        download=download,
        until=until,
        picture=picture is not None,
        attached=file is not None,
    )
    return composed(
        written(record, enclosed, deliveries),
        sender=service().sender,
        to=address,
        picture=picture,
        file=None if file is None else (f"{record.name}.tif", file),
    )


def _way_to(record: ExportRecord, preferences: Preferences) -> tuple[str, dt.datetime | None]:
    """Where the file can be had, and until when; None: for good, by its owner."""
    if preferences.link:
        with suppress(TooLarge):  # so many links, one of which will do
            link, url = share(record, by="notify")
            return url, link.expires_at
    return download_url(record), None


def _content(href: str) -> bytes | None:
    """Of an ``s3://`` address; None where it is gone meanwhile: a mail does without."""
    bucket, key = place_of(href)
    return Bucket(bucket).read(key)
