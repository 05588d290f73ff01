"""The state Plan: an attempt gets its plan, once. Its pixels are reserved before the first tile."""

from __future__ import annotations

from cutline.errors import NotFound, TooLarge
from cutline.estimate import bytes_max, bytes_min
from cutline.export import plan_request
from cutline.models.api import ExportBody
from cutline.models.plan import ExportPlan
from cutline.models.record import DeliveryRecord, ExportRecord
from cutline.models.task import ExportTask, Planned
from cutline.service.attempts import needed
from cutline.service.deliveries import deliveries_of
from cutline.service.sources import permit, request_of, told_of
from cutline.settings import ServiceSettings, service
from cutline.store.bucket import Bucket, place_of
from cutline.store.plans import Plans
from cutline.store.quotas import Quotas
from cutline.store.records import Records


def plan_export(task: ExportTask) -> Planned:
    """Plan an attempt; run again, it says the same, for sources may have changed meanwhile.

    Raises the family of InvalidRequest for a request that cannot be met, RateLimited beyond the owner's quota,
    SourceUnavailable, and Conflict where the attempt is no longer wanted.
    """
    now = service()
    records, plans = Records(now.table), Plans(now.work_bucket)
    record = needed(records, task)
    body = _body(record)
    made = _made(record)
    if made is None:
        plan = plans.get(task) or plans.keep(task, _planned(record, body, now))
        plans.keep_tasks(task, len(plan.tiles))
        told = tuple(dict.fromkeys(record.warnings + plan.warnings))  # those of submitting are about the area
        sizes = {"bytes_min": bytes_min(plan), "bytes_max": bytes_max(plan)}
        work = {"tiles": len(plan.tiles), "tile_pixels": sum(tile.pixels for tile in plan.tiles)}
        record = records.change(record, pixels=plan.pixels, **work, **sizes, warnings=told, result=None)
    deliveries = _deliveries(records, record, body)
    return Planned(
        plan_href=plans.href(task),
        tasks=plans.tasks(task),
        tiles=record.tiles or 0,
        deliveries=tuple(delivery.delivery_id for delivery in deliveries),
        destinations=any(delivery.destination_id for delivery in deliveries),
        cog_href=made,
    )


def _body(record: ExportRecord) -> ExportBody:
    bucket, key = place_of(record.request_href)
    content = Bucket(bucket).read(key)
    if content is None:
        raise NotFound(f"the request of export {record.export_id} is gone; submit it again")
    return ExportBody.model_validate_json(content)


def _made(record: ExportRecord) -> str | None:
    """Where an earlier attempt's COG is, if it still is."""
    if record.result is None:
        return None
    bucket, key = place_of(record.result.cog_href)
    whole = Bucket(bucket).size(key) == record.result.nbytes
    return record.result.cog_href if whole else None


def _planned(record: ExportRecord, body: ExportBody, now: ServiceSettings) -> ExportPlan:
    request = request_of(body, now.source_hosts)
    with told_of(body):
        plan = plan_request(request, permit=permit(now.source_hosts), owner=record.owner)
        check_size(plan, now)
    Quotas(now.table, now.limits).reserve_pixels(record, plan.pixels)
    return plan


def check_size(plan: ExportPlan, now: ServiceSettings) -> None:
    """Raises TooLarge where ``plan`` has more pixels than one export may have."""
    if plan.pixels > now.limits.pixels_an_export:
        raise TooLarge(
            f"{plan.pixels:,} pixels; an export may have {now.limits.pixels_an_export:,}; choose a coarser resolution "
            "or a part of the area",
            pointer="/output/resolution",
        )


def _deliveries(records: Records, record: ExportRecord, body: ExportBody) -> tuple[DeliveryRecord, ...]:
    """Those that are still to be made, each with its record."""
    known = {delivery.delivery_id: delivery for delivery in records.deliveries(record.export_id)}
    for fresh in deliveries_of(record, body.deliveries):
        if fresh.delivery_id not in known:
            records.put_delivery(record.export_id, fresh)
            known[fresh.delivery_id] = fresh
    return tuple(delivery for delivery in known.values() if delivery.state != "done")
