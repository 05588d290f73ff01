"""What an export is delivered to: as its request says, and what is asked for when it has ended."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from cutline.errors import Conflict, InvalidRequest, NotFound, RateLimited, TransientError
from cutline.models.api import DestinationDelivery, LinkDelivery
from cutline.models.destination import DestinationRecord
from cutline.models.record import LINK, UNDER_WAY, DeliveryRecord, Event, ExportRecord, Failure, now
from cutline.models.task import ExportTask
from cutline.service.archiving import archive_delivery
from cutline.service.notices import have_told_of_delivery
from cutline.settings import service
from cutline.store.deliveries import FRESH, Deliveries
from cutline.store.destinations import Destinations
from cutline.store.executions import Executions
from cutline.store.quotas import Quotas
from cutline.store.records import Records

Wanted = LinkDelivery | DestinationDelivery

MOST_HANDED_OVER = 47
"""So often the hour of an execution ends and the next goes on with a delivery, which has two days in all"""


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
    its way there; RateLimited where too many of the owner's are; TransientError where AWS does not answer.
    """
    if record.result is None or record.status not in ("SUCCESS", "ERROR"):
        raise Conflict(f"export {record.export_id} is {record.status}: it has no file to deliver; wait, or retry")
    fresh = _fresh(record, wanted)
    fresh = fresh.model_copy(update={"execution": _execution_name(record, fresh, secrets.token_hex(3))})
    _count(record.owner, record.export_id, fresh.delivery_id)
    try:
        begun = _begun(Deliveries(service().table, record.export_id), fresh)
    except Conflict:
        _release_ended(record.owner, record.export_id, fresh.delivery_id)
        raise
    details = {"delivery_id": begun.delivery_id, "destination_id": begun.destination_id}
    event = Event(at=now(), what="delivery asked for", by=by, attempt=record.attempt, details=details)
    Records(service().table).add_event(record.export_id, event)
    try:
        Executions(service().state_machine).start_delivery(record, begun)
    except Exception as error:  # whatever it is, nothing may stay that nobody works on
        message = "the delivery could not be started; send the request again in a minute"
        Deliveries(service().table, record.export_id).fail(begun, Failure(code=TransientError.code, message=message))
        _release_ended(record.owner, record.export_id, begun.delivery_id)
        raise TransientError(message) from error
    return begun


def go_on(record: ExportRecord, execution: Mapping[str, Any]) -> bool:
    """Where the hour of an ``execution`` has ended, each delivery that got on in it goes on from there, in the next of
    its own. Whether all that have not arrived do. Again does nothing."""
    if execution["status"] != "TIMED_OUT" or record.result is None:
        return False
    deliveries = Deliveries(service().table, record.export_id)
    for delivery in Records(service().table).deliveries(record.export_id):
        # The same name for the same end, which may be told twice.
        digest = hashlib.sha256(execution["name"].encode()).hexdigest()
        following = _execution_name(record, delivery, digest[:6])
        if delivery.carrier(record) == execution["name"] and delivery.moved and delivery.handed_over < MOST_HANDED_OVER:
            with suppress(RateLimited):  # it goes on even so
                Quotas(service().table, service().limits).reserve_delivery(
                    record.owner, record.export_id, delivery.delivery_id
                )
            deliveries.hand_over(delivery, following)
        handed = deliveries.get(delivery.delivery_id)
        if handed.execution == following and handed.state in UNDER_WAY:
            Executions(service().state_machine).start_delivery(record, handed)
    known = Records(service().table).deliveries(record.export_id)
    return all(each.state == "done" or each.carrier(record) != execution["name"] for each in known)


def settle_delivery(task: ExportTask, execution: Mapping[str, Any]) -> None:
    """The ``execution`` of a delivery of its own has ended: it arrives no more, unless it has or goes on; its
    history is kept, and its owner hears of its end. Again does nothing."""
    told, deliveries = json.loads(execution["input"]), Deliveries(service().table, task.export_id)
    archive_delivery(task, execution)
    with suppress(NotFound):  # deleted
        go_on(Records(service().table).get(task.export_id), execution)
        delivery = deliveries.get(told["delivery_id"])
        if delivery.execution == execution["name"]:
            lost = Failure(code="internal-error", message="the delivery came to no end; ask for it once more")
            deliveries.fail(delivery, delivery.error or lost)
            have_told_of_delivery(task.export_id, delivery.delivery_id, execution["name"])
    _release_ended(told["owner"], task.export_id, told["delivery_id"])


def _count(owner: str, export_id: str, delivery_id: str) -> None:
    """Count a delivery among the owner's under way. Raises RateLimited."""
    quotas = Quotas(service().table, service().limits)
    try:
        quotas.reserve_delivery(owner, export_id, delivery_id)
    except RateLimited:
        for held in quotas.deliveries(owner):  # the end of one may not have been told
            _release_ended(owner, *held)
        quotas.reserve_delivery(owner, export_id, delivery_id)


def _release_ended(owner: str, export_id: str, delivery_id: str) -> None:
    """Count a delivery no more, unless an execution carries it."""
    with suppress(NotFound):
        known = Deliveries(service().table, export_id).get(delivery_id)
        if known.state in UNDER_WAY and known.execution and Executions(service().state_machine).runs(known.execution):
            return
    Quotas(service().table, service().limits).release_delivery(owner, export_id, delivery_id)


def _begun(deliveries: Deliveries, fresh: DeliveryRecord) -> DeliveryRecord:
    """``fresh`` in the table. Raises Conflict where the same delivery is under way."""
    try:
        known = deliveries.get(fresh.delivery_id)
    except NotFound:
        deliveries.create(fresh)
        return fresh
    executions = Executions(service().state_machine)
    if known.state in UNDER_WAY and not (known.execution and not executions.runs(known.execution)):
        raise Conflict("it is on its way there already; wait for that to end")
    return deliveries.save(known, **FRESH, attempt=fresh.attempt, execution=fresh.execution)


def _execution_name(record: ExportRecord, delivery: DeliveryRecord, suffix: str) -> str:
    return f"{record.execution_name}-{delivery.delivery_id}-{suffix}"


def _fresh(record: ExportRecord, wanted: DestinationDelivery) -> DeliveryRecord:
    destination = _destination(record.owner, wanted, "/destination_id")
    prefix = destination.settings.prefix if wanted.prefix is None else wanted.prefix
    return DeliveryRecord(
        delivery_id=hashlib.sha256(f"{wanted.destination_id}/{prefix}".encode()).hexdigest()[:12],
        kind=destination.settings.kind,
        destination_id=wanted.destination_id,
        prefix=prefix,
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
