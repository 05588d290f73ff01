"""A finished COG is brought to its targets: its link, and destinations of its owner's (deliver/).

A delivery that a target refuses fails alone: its record says why, and the export's COG is kept.
"""

from __future__ import annotations

from collections.abc import Callable

from cutline.deliver.target import Arrival, Cursor, Trip
from cutline.errors import Conflict, CutlineError, DeliveryRejected, NotFound, TransientError
from cutline.models.record import LINK, DeliveryRecord, Event, ExportRecord, Failure, Result, now
from cutline.models.task import AbandonTask, Delivered, DeliveryTask
from cutline.service.addresses import download_url
from cutline.service.boundary import logger
from cutline.service.parcels import parcel_of, rest_of
from cutline.service.targets import target_of
from cutline.settings import service
from cutline.store.bucket import Bucket, place_of
from cutline.store.deliveries import Deliveries
from cutline.store.destinations import Destinations
from cutline.store.records import Records

DELIVERED_FROM = ("DELIVERING", "SUCCESS", "ERROR")
"""Statuses of an export that has a COG to deliver: in the last two, one asked for afterwards, or that goes on since"""
MISSED = Delivered(done=True, delivered=False)
"""Nothing (more) is done for it here"""


def deliver(task: DeliveryTask, seconds_left: Callable[[], float]) -> Delivered:
    """Go on with one delivery, as far as the time of this invocation and the target allow.

    Raises TransientError, for the state machine to try again, and nothing else of ours.
    """
    deliveries = Deliveries(service().table, task.export_id)
    try:
        record, delivery = Records(service().table).get(task.export_id), deliveries.get(task.delivery_id)
    except NotFound:  # the export was deleted
        return MISSED
    if delivery.state in ("done", "failed"):
        return Delivered(done=True, delivered=delivery.state == "done")
    if not _carries(task, delivery, record):
        return MISSED
    carried = _Carried(record, delivery, deliveries)
    try:
        carried.keep(state="running")  # from here on, whoever else carries it can write no more
        if record.status not in DELIVERED_FROM or record.deleted_at:
            carried.abandon()
            return carried.stopped(DeliveryRejected(f"the export is {record.status} in attempt {record.attempt}"))
        return _carry(carried, seconds_left)
    except Conflict:
        return _after_conflict(carried, deliveries, task)


def abandon(task: AbandonTask) -> None:
    """Remove what a delivery that is given up has left half-written. Raises what its target raises."""
    destination = Destinations(service().table).get(task.owner, task.destination_id)
    target_of(destination).abandon(task.path, task.cursor)


def _carry(carried: _Carried, seconds_left: Callable[[], float]) -> Delivered:
    try:
        arrival = carried.go_on(seconds_left)
    except Conflict:
        raise
    except CutlineError as error:
        return carried.stopped(error)
    return carried.arrived(arrival) if arrival else Delivered(done=False, delivered=False)


class _Carried:
    """A delivery in this invocation's hands. Its methods raise Conflict where those are no longer the right ones."""

    def __init__(self, record: ExportRecord, delivery: DeliveryRecord, deliveries: Deliveries) -> None:
        self._record, self._delivery, self._deliveries = record, delivery, deliveries

    def keep(self, **changes: object) -> None:
        self._delivery = self._deliveries.save(self._delivery, **changes)

    def go_on(self, seconds_left: Callable[[], float]) -> Arrival | None:
        if self._delivery.kind == LINK:
            return _linked(self._record)
        destination = Destinations(service().table).get(self._record.owner, self._delivery.destination_id or "")
        parcel = parcel_of(self._record, _result(self._record), self._delivery)
        trip = Trip(cursor=self._delivery.cursor, save=self._save, seconds_left=seconds_left)
        return target_of(destination).deliver(parcel, trip)

    def abandon(self) -> None:
        """Nobody wants it any more: nothing half-written is to stay, if that can be helped."""
        if not self._delivery.cursor:
            return
        try:
            abandon(rest_of(self._record, self._delivery))
        except CutlineError as error:
            logger.warning("something half-written may be left", extra={"why": error.message})

    def _save(self, cursor: Cursor) -> None:
        self.keep(cursor=dict(cursor), moved=True, error=None)

    def arrived(self, arrival: Arrival) -> Delivered:
        nbytes = _result(self._record).nbytes
        receipt = {"uri": arrival.uri, "nbytes": nbytes, "checksum": arrival.checksum}
        return self._ended(state="done", cursor={}, error=None, **receipt)

    def stopped(self, error: CutlineError) -> Delivered:
        """Raises ``error`` again where it may pass, unless the target said when."""
        why = Failure(code=error.code, message=error.message)
        if isinstance(error, TransientError):
            self.keep(error=why)
            if wait := error.details.get("retry_after"):
                return Delivered(done=False, delivered=False, wait=wait)
            raise error
        return self._ended(state="failed", cursor={}, error=why)

    def _ended(self, **changes: object) -> Delivered:
        self.keep(**changes)
        delivery = self._delivery
        if delivery.execution:  # no execution of an attempt tells of it
            details = {"delivery_id": delivery.delivery_id, "uri": delivery.uri}
            what = "delivered" if delivery.state == "done" else "not delivered"
            event = Event(at=now(), what=what, by="deliver", attempt=delivery.attempt, details=details)
            Records(service().table).add_event(self._record.export_id, event)
        return Delivered(done=True, delivered=delivery.state == "done")


def _carries(task: DeliveryTask, delivery: DeliveryRecord, record: ExportRecord) -> bool:
    """Whether the delivery is still in the hands of the execution that asks."""
    return record.attempt == delivery.attempt == task.attempt and delivery.carrier(record) == task.execution


def _after_conflict(carried: _Carried, deliveries: Deliveries, task: DeliveryTask) -> Delivered:
    """What is left to do here, now that another has written the delivery: nothing where it has ended or is another
    execution's; else the next invocation takes it over, for who writes now may be about to be killed.

    What is given up for good is abandoned. What failed otherwise (its execution's hour ended, say) keeps its parts: it
    goes on from there when it is asked for again."""
    try:
        record, delivery = Records(service().table).get(task.export_id), deliveries.get(task.delivery_id)
    except NotFound:
        carried.abandon()
        return MISSED
    if delivery.state == "failed" and (record.status == "CANCELLED" or record.deleted_at):
        carried.abandon()
    if not _carries(task, delivery, record):
        return MISSED
    return Delivered(done=delivery.state in ("done", "failed"), delivered=delivery.state == "done")


def _linked(record: ExportRecord) -> Arrival:
    """The COG stays with us, and its owner gets an address. Raises DeliveryRejected where it is not whole."""
    result = _result(record)
    bucket, key = place_of(result.cog_href)
    if (size := Bucket(bucket).size(key)) != result.nbytes:
        found = "is gone" if size is None else f"has {size:,} bytes instead of {result.nbytes:,}"
        raise DeliveryRejected(f"the COG {found}; retry makes it again")
    return Arrival(uri=download_url(record), checksum=f"crc64nvme:{result.crc64nvme}")


def _result(record: ExportRecord) -> Result:
    if record.result is None:
        raise NotFound(f"export {record.export_id} has no file; it is {record.status}")
    return record.result
