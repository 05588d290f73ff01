"""Destinations are tried before they are relied on: with a small file when their owner wants to know, and for room
before an export is rendered."""

from __future__ import annotations

from collections import Counter

from cutline.deliver.dropbox_login import exchange
from cutline.errors import DeliveryRejected, NotFound, QuotaExceeded, TransientError
from cutline.models.destination import DestinationRecord
from cutline.models.record import ExportRecord, Failure
from cutline.models.task import RoomTask, TrialTask, Tried
from cutline.service import credentials
from cutline.service.attempts import needed
from cutline.service.boundary import logger
from cutline.service.targets import target_of
from cutline.settings import service
from cutline.store.destinations import Destinations
from cutline.store.records import Records


def try_destination(task: TrialTask) -> Tried:
    """Write a small file there, read it back and remove it; what came of it is kept with the destination.

    Raises NotFound, Conflict as ``_authorized``, and TransientError where it did not answer, which says nothing of it.
    """
    destinations = Destinations(service().table)
    record = destinations.get(task.owner, task.destination_id)
    try:
        if task.code is not None:
            record = _authorized(record, task.code.get_secret_value())
        target_of(record).verify()
    except DeliveryRejected as error:
        problem = Failure(code=error.code, message=error.message)
        destinations.tried(record, problem)
        return Tried(problem=problem)
    destinations.tried(record, None)
    return Tried(problem=None)


def _authorized(record: DestinationRecord, code: str) -> DestinationRecord:
    """With the secret that a Dropbox account gives us for ``code``. Raises BadCredentials for another code, and
    Conflict where the destination is changed by another request at the same time."""
    return credentials.keep(record, exchange(code), Destinations(service().table).change)


def check_room(task: RoomTask) -> None:
    """Ask each destination of an export that is planned whether the COG will find room there. Where it may not, the
    export gets a warning.

    Raises QuotaExceeded where it cannot, and what else a destination says that it will not take: nothing has been
    rendered yet. What does not answer now may do so later.
    """
    records = Records(service().table)
    record = needed(records, task)
    asked = Counter(
        delivery.destination_id
        for delivery in records.deliveries(record.export_id)
        if delivery.destination_id and delivery.state != "done"
    )
    told = [warning for each, copies in asked.items() if (warning := _room(record, each, copies))]
    if told:
        records.change(record, warnings=tuple(dict.fromkeys((*record.warnings, *told))))


def _room(record: ExportRecord, destination_id: str, copies: int) -> str | None:
    """A warning, if there is cause for one."""
    try:
        destination = Destinations(service().table).get(record.owner, destination_id)
    except NotFound as error:
        raise DeliveryRejected(f"destination {destination_id} is gone; export to another") from error
    try:
        room = target_of(destination).room()
    except (NotFound, TransientError) as error:  # the former where it has just been removed
        logger.warning("its room is not known", extra={"destination": destination_id, "why": error.message})
        return None
    except DeliveryRejected as error:
        raise type(error)(f"destination {destination.name}: {error.message}") from error
    least, most = (copies * (size or 0) for size in (record.bytes_min, record.bytes_max))
    if room is None or room >= most:
        return None
    if room < least:
        raise QuotaExceeded(
            f"destination {destination.name} has room for {room:,} bytes, and the export takes at least {least:,}; "
            "make room there, or choose a coarser resolution"
        )
    return (
        f"destination {destination.name} has room for {room:,} bytes; the export takes between {least:,} and {most:,}, "
        "and may not fit"
    )
