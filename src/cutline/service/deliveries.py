"""What an export is delivered to: as its request says, and what is asked for when it has ended."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from cutline.errors import Conflict, InvalidRequest, NotFound, TransientError
from cutline.models.api import DestinationDelivery, LinkDelivery
from cutline.models.destination import DestinationRecord
from cutline.models.record import LINK, DeliveryRecord, Event, ExportRecord, Failure, now
from cutline.models.task import ExportTask
from cutline.service.archiving import archive_delivery
from cutline.settings import service
from cutline.store.deliveries import Deliveries
from cutline.store.destinations import Destinations
from cutline.store.executions import Executions
from cutline.store.records import Records

Wanted = LinkDelivery | DestinationDelivery


def check_deliveries(owner: str, wanted: Sequence[Wanted]) -> None:
    """Raise InvalidRequest, with a pointer into the body, for a destination that the owner does not have."""
    for position, each in enumerate(wanted):
        if isinstance(each, DestinationDelivery):
            _destination(owner, each, f"/deliveries/{position}/destination_id")


def deliveries_of(record: ExportRecord, wanted: Sequence[Wanted]) -> list[DeliveryRecord]:
    """Those of an attempt, to be made. Raises InvalidRequest where a destination has gone meanwhile."""
    link = DeliveryRecord(delivery_id=LINK, kind=LINK, state="pending", attempt=record.attempt)
    places = [_fresh(record, each) for each in wanted if isinstance(each, DestinationDelivery)]
    return list({each.delivery_id: each for each in (link, *places)}.values())


def deliver_again(record: ExportRecord, wanted: DestinationDelivery, by: str) -> DeliveryRecord:
    """Bring a finished export to a destination, also where it was brought before; the export's status stays.

    Raises InvalidRequest for a destination that its owner does not have; Conflict where there is no file, or it is on
    its way there; TransientError where AWS does not answer.
    """
    if record.result is None or record.status not in ("SUCCESS", "ERROR"):
        raise Conflict(f"export {record.export_id} is {record.status}: it has no file to deliver; wait, or retry")
    fresh = _fresh(record, wanted)
    name = f"{record.execution_name}-{fresh.delivery_id}-{secrets.token_hex(3)}"
    fresh = fresh.model_copy(update={"execution": name})
    begun = _begun(Deliveries(service().table, record.export_id), fresh)
    details = {"delivery_id": begun.delivery_id, "destination_id": begun.destination_id}
    event = Event(at=now(), what="delivery asked for", by=by, attempt=record.attempt, details=details)
    Records(service().table).add_event(record.export_id, event)
    try:
        Executions(service().state_machine).start_delivery(record, begun)
    except Exception as error:  # whatever it is, nothing may stay that nobody works on
        message = "the delivery could not be started; send the request again in a minute"
        Deliveries(service().table, record.export_id).fail(begun, Failure(code=TransientError.code, message=message))
        raise TransientError(message) from error
    return begun


def settle_delivery(task: ExportTask, execution: Mapping[str, Any]) -> None:
    """The ``execution`` of a delivery that was asked for afterwards has ended: it arrives no more, unless it has, and
    its history is kept. Again does nothing."""
    archive_delivery(task, execution)
    for delivery in Records(service().table).deliveries(task.export_id):
        if delivery.execution == execution["name"]:
            lost = Failure(code="internal-error", message="the delivery came to no end; ask for it once more")
            Deliveries(service().table, task.export_id).fail(delivery, delivery.error or lost)


def _begun(deliveries: Deliveries, fresh: DeliveryRecord) -> DeliveryRecord:
    """``fresh`` in the table. Raises Conflict where the same delivery is under way."""
    try:
        known = deliveries.get(fresh.delivery_id)
    except NotFound:
        deliveries.create(fresh)
        return fresh
    executions = Executions(service().state_machine)
    if known.state in ("pending", "running") and not (known.execution and not executions.runs(known.execution)):
        raise Conflict("it is on its way there already; wait for that to end")
    begun = {"state": "pending", "attempt": fresh.attempt, "execution": fresh.execution, "error": None}
    return deliveries.save(known, **begun)


def _fresh(record: ExportRecord, wanted: DestinationDelivery) -> DeliveryRecord:
    destination = _destination(record.owner, wanted, "/destination_id")
    place = f"{wanted.destination_id}/{wanted.prefix if wanted.prefix is not None else destination.settings.prefix}"
    return DeliveryRecord(
        delivery_id=hashlib.sha256(place.encode()).hexdigest()[:12],
        kind=destination.settings.kind,
        destination_id=wanted.destination_id,
        prefix=wanted.prefix,
        state="pending",
        attempt=record.attempt,
    )


def _destination(owner: str, wanted: DestinationDelivery, pointer: str) -> DestinationRecord:
    try:
        return Destinations(service().table).get(owner, wanted.destination_id)
    except NotFound as error:
        raise InvalidRequest(
            f"you have no destination {wanted.destination_id}; GET /destinations lists yours", pointer=pointer
        ) from error
