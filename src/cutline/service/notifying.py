"""The end of an export is told, and of deliveries that end later: to its owner by mail, and to their webhooks. Neither
waits for the other, and an export does not depend on either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from cutline.errors import CutlineError, DeliveryRejected, NotFound, TooLarge
from cutline.models.notification import DeliveryNotice, EndNotice, MailWish, Notice, Preferences, WebhookNotice
from cutline.models.record import UNDER_WAY, DeliveryRecord, ExportRecord
from cutline.models.task import ExportTask
from cutline.models.traffic import LinkRecord
from cutline.notify.letter import Enclosed, written, written_of_delivery
from cutline.notify.message import composed
from cutline.service import webhook_sending
from cutline.service.addresses import download_url, export_url
from cutline.service.boundary import logger
from cutline.service.sharing import share, take_back
from cutline.service.webhook_events import event_of_delivery, event_of_end
from cutline.settings import service
from cutline.store import mail
from cutline.store.bucket import Bucket, place_of
from cutline.store.deliveries import Deliveries
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
    _tell_both(
        lambda: webhook_sending.announce(record.owner, event_of_end(record, deliveries)),
        lambda: _write_of_end(records, record, deliveries),
    )


def notify_of_delivery(notice: DeliveryNotice) -> None:
    """Tell what became of a delivery by an execution of its own, once; nothing where another has begun it again, or its
    export was cancelled or is being deleted. Raises NotFound, TransientError, and DeliveryRejected as ``notify``."""
    deliveries = Deliveries(service().table, notice.export_id)
    record, delivery = Records(service().table).get(notice.export_id), deliveries.get(notice.delivery_id)
    if record.status == "CANCELLED" or record.deleted_at:
        return
    if delivery.execution != notice.execution or delivery.state in UNDER_WAY:
        return
    _tell_both(
        lambda: webhook_sending.announce(record.owner, event_of_delivery(record, delivery)),
        lambda: _write_of_delivery(deliveries, record, delivery),
    )


def take(message: dict[str, Any], tries: int) -> None:
    """What a message of the notify queue asks for."""
    del tries  # the queue's business
    notice = _NOTICE.validate_python(message)
    try:
        match notice:
            case WebhookNotice():
                webhook_sending.send(notice)
            case DeliveryNotice():
                notify_of_delivery(notice)
            case EndNotice():
                notify(ExportTask(export_id=notice.export_id, attempt=notice.attempt))
    except (NotFound, DeliveryRejected) as error:  # deleted meanwhile, or no mail goes there: not even the next time
        logger.warning(f"nobody was told: {error.message}", extra=notice.model_dump())


def _tell_both(announce: Callable[[], None], write: Callable[[], None]) -> None:
    """Neither waits for the other. Where both fail, what webhooks were not told is raised: it may pass, while a refused
    mail stays refused."""
    try:
        announce()
    except Exception:
        with suppress(CutlineError):
            write()
        raise
    write()


class _Reader(NamedTuple):
    """Who is written to."""

    address: str
    preferences: Preferences


def _write_of_end(records: Records, record: ExportRecord, deliveries: Sequence[DeliveryRecord]) -> None:
    if record.status not in TOLD:
        return
    reader = _reader(record, failed=record.status == "ERROR")
    if reader is None or not records.mark_notified(record):
        return
    shared = None
    try:
        shared = _shared(record) if reader.preferences.link else None
        mail.send(service().sender, reader.address, _message(record, deliveries, reader, shared))
    except Exception:
        records.unmark_notified(record)
        if shared:  # the next try makes another
            with suppress(NotFound):
                take_back(record, shared[0].link_id, by="notify")
        raise


def _write_of_delivery(deliveries: Deliveries, record: ExportRecord, delivery: DeliveryRecord) -> None:
    reader = _reader(record, failed=delivery.state == "failed")
    if reader is None or not deliveries.mark_notified(delivery):
        return
    try:
        enclosed = Enclosed(url=export_url(record.export_id), download=download_url(record))
        letter = written_of_delivery(record, delivery, enclosed)
        mail.send(service().sender, reader.address, composed(letter, sender=service().sender, to=reader.address))
    except Exception:
        deliveries.unmark_notified(delivery)
        raise


def _reader(record: ExportRecord, *, failed: bool) -> _Reader | None:
    """The owner, where they want to read of this end and can be written to. ``failed``: what came to it."""
    settings = service()
    if not settings.sender:  # a deployment without mail
        return None
    preferences = Accounts(settings.table).preferences(record.owner)
    if not _wants(preferences.email, asked=record.notify, failed=failed):
        return None
    address = mail.address_of(settings.user_pool, record.owner)
    return _Reader(address, preferences) if address else None


def _wants(wish: MailWish, *, asked: bool, failed: bool) -> bool:
    return {"asked": asked, "always": True, "failures": failed, "never": False}[wish]


def _message(
    record: ExportRecord,
    deliveries: Sequence[DeliveryRecord],
    reader: _Reader,
    shared: tuple[LinkRecord, str] | None,
) -> bytes:
    """``shared``: the link that leads to the file, and its address; None: its owner's own does."""
    result = record.result
    picture = _content(result.quicklook_href) if result and result.quicklook_href else None
    small = result is not None and result.nbytes < SMALL and record.status == "SUCCESS"
    file = _content(result.cog_href) if result and small and reader.preferences.attach else None
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
        to=reader.address,
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
