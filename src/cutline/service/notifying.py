"""The end of an export is told: to its owner by mail, and to their webhooks. Neither waits for the other, and an export
does not depend on either."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter

from cutline.errors import DeliveryRejected, NotFound, TooLarge
from cutline.models.notification import MailWish, Notice, Preferences, WebhookNotice
from cutline.models.record import DeliveryRecord, ExportRecord
from cutline.models.task import ExportTask
from cutline.models.traffic import LinkRecord
from cutline.notify.letter import Enclosed, written
from cutline.notify.message import composed
from cutline.service import webhook_sending
from cutline.service.addresses import download_url, export_url
from cutline.service.boundary import logger
from cutline.service.sharing import share, take_back
from cutline.settings import service
from cutline.store import mail
from cutline.store.bucket import Bucket, place_of
from cutline.store.records import Records
from cutline.store.webhooks import Accounts

SMALL = 5_000_000
"""Bytes of a file that may be attached, if fewer"""
DOWNLOADS = 20
"""By the link of a mail, of which whoever sees the mail makes use, in its owner's month"""
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
    shared = None
    try:
        shared = _shared(record) if preferences.link else None
        mail.send(settings.sender, address, _message(record, deliveries, preferences, address, shared))
    except Exception:
        records.unmark_notified(record)
        if shared:  # the next try makes another
            with suppress(NotFound):
                take_back(record, shared[0].link_id, by="notify")
        raise


def _wants(wish: MailWish, record: ExportRecord) -> bool:
    wants = {"asked": record.notify, "always": True, "failures": record.status == "ERROR", "never": False}
    return wants[wish]


def _message(
    record: ExportRecord,
    deliveries: Sequence[DeliveryRecord],
    preferences: Preferences,
    address: str,
    shared: tuple[LinkRecord, str] | None,
) -> bytes:
    """``shared``: the link that leads to the file, and its address; None: its owner's own does."""
    result = record.result
    picture = _content(result.quicklook_href) if result and result.quicklook_href else None
    small = result is not None and result.nbytes < SMALL and record.status == "SUCCESS"
    file = _content(result.cog_href) if result and small and preferences.attach else None
    link, url = shared or (None, download_url(record))
    enclosed = Enclosed(
        url=export_url(record.export_id),
        download=url if result else None,
        until=link.expires_at if link else None,
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


def _shared(record: ExportRecord) -> tuple[LinkRecord, str] | None:
    """A link for everybody, and its address; None where there is no file, or where there are too many links."""
    if record.result is None:
        return None
    try:
        return share(record, by="notify", max_downloads=DOWNLOADS, max_bytes=DOWNLOADS * record.result.nbytes)
    except TooLarge:
        return None


def _content(href: str) -> bytes | None:
    """Of an ``s3://`` address; None where it is gone meanwhile: a mail does without."""
    bucket, key = place_of(href)
    return Bucket(bucket).read(key)
