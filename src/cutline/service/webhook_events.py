"""What webhooks are told: the end of an attempt, or of a delivery by an execution of its own, as a CloudEvent. The same
execution is the same event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from cutline.models.notification import (
    EVENT_OF,
    EVENT_OF_DELIVERY,
    Brought,
    CloudEvent,
    DeliveryEnded,
    EventType,
    ExportEnded,
)
from cutline.models.record import DeliveryRecord, ExportRecord
from cutline.service.addresses import download_url, export_url
from cutline.settings import service


def event_of_end(record: ExportRecord, deliveries: Sequence[DeliveryRecord] = ()) -> CloudEvent:
    """An attempt has ended."""
    data = ExportEnded(
        **record.model_dump(include=set(ExportEnded.model_fields)),
        ended_at=record.updated_at,
        deliveries=tuple(map(_brought, deliveries)),
        links=_links(record),
        nbytes=record.result and record.result.nbytes,
        crc64nvme=record.result and record.result.crc64nvme,
    )
    return _event(record.execution_name, EVENT_OF[record.status], record.updated_at, data)


def event_of_delivery(record: ExportRecord, delivery: DeliveryRecord) -> CloudEvent:
    """A ``delivery`` by an execution of its own has ended."""
    assert delivery.execution and delivery.at  # noqa: S101 - as every one that has
    data = DeliveryEnded(
        export_id=record.export_id, name=record.name, delivery=_brought(delivery), links=_links(record)
    )
    return _event(delivery.execution, EVENT_OF_DELIVERY[delivery.state], delivery.at, data)


def _event(execution: str, kind: EventType, time: dt.datetime, data: ExportEnded | DeliveryEnded) -> CloudEvent:
    source = f"{service().url}/exports"
    return CloudEvent(id=execution, source=source, type=kind, subject=data.export_id, time=time, data=data)


def _brought(delivery: DeliveryRecord) -> Brought:
    return Brought(**delivery.model_dump(include=set(Brought.model_fields)))


def _links(record: ExportRecord) -> dict[str, str]:
    return {"self": export_url(record.export_id)} | ({"download": download_url(record)} if record.result else {})
