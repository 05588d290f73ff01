"""Events on their way to webhooks: each is kept as a delivery first, then tried until it is taken or given up.

A try is a message of the notify queue. What fails is tried again later, by a message that waits; one may wait for 15
minutes at most, so a longer wait is several messages.
"""

from __future__ import annotations

import datetime as dt
import time

from cutline.errors import Conflict, CutlineError, NotFound
from cutline.models.notification import CloudEvent, Try, WebhookDelivery, WebhookNotice, WebhookRecord
from cutline.models.record import Failure, now
from cutline.settings import service
from cutline.store.inbox import Queue
from cutline.store.receivers import post
from cutline.store.signing import SigningSecrets, signature
from cutline.store.webhooks import Webhooks

WAITS = (5, 60, 300, 1_800, 7_200, 18_000, 36_000)
"""Seconds before each further try: eight tries in 19 hours"""
LONGEST_DELAY = 900
"""Seconds that SQS keeps a message back"""
KEPT_TRIES = 20
GONE = 410
"""HTTP's: the receiver wants no more, ever"""
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
_OFF = "the webhook is switched off; nothing was sent"


def announce(owner: str, event: CloudEvent) -> None:
    """Begin to tell all webhooks of ``owner`` that want it of an ``event``. Again does nothing."""
    webhooks = Webhooks(service().table)
    for webhook in webhooks.of_owner(owner):
        if webhook.enabled and event.type in webhook.events and webhook.created_at <= event.time:
            delivery = webhooks.begin(_delivery(webhook, event))
            if delivery.state == "pending" and not delivery.tries:
                due(webhook.owner, delivery)


def due(owner: str, delivery: WebhookDelivery) -> None:
    """Have a delivery tried when its time has come."""
    notice = WebhookNotice(owner=owner, webhook_id=delivery.webhook_id, number=delivery.number, round=delivery.round)
    wait = (delivery.next_at - now()).total_seconds() if delivery.next_at else 0
    Queue(service().notify_queue).send(notice.model_dump(), delay=max(0, min(LONGEST_DELAY, round(wait))))


def send(notice: WebhookNotice) -> WebhookDelivery | None:
    """Try a delivery, if it is due; None where it is not wanted any more. Whatever the receiver does is its log's."""
    webhooks = Webhooks(service().table)
    try:
        webhook = webhooks.get(notice.owner, notice.webhook_id)
        delivery = webhooks.delivery(notice.webhook_id, notice.number)
    except NotFound:  # deleted meanwhile
        return None
    if delivery.state != "pending" or delivery.round != notice.round:
        return delivery
    if delivery.next_at is not None and delivery.next_at > now() + dt.timedelta(seconds=1):
        due(notice.owner, delivery)
        return delivery
    tried = _try(webhook, delivery) if webhook.enabled else Try(at=now(), milliseconds=0, error=_OFF)
    if tried.status == GONE:
        _switch_off(webhooks, webhook)
    after = _after(delivery, tried, final=not webhook.enabled or tried.status == GONE)
    try:
        webhooks.put_delivery(delivery, after)
    except Conflict:  # another has gone on with it: the same message came twice, or its owner replays it
        return webhooks.delivery(notice.webhook_id, notice.number)
    if after.state == "pending":
        due(notice.owner, after)
    return after


def _delivery(webhook: WebhookRecord, event: CloudEvent) -> WebhookDelivery:
    return WebhookDelivery(
        webhook_id=webhook.webhook_id,
        number=1,
        event_id=event.id,
        type=event.type,
        export_id=event.data.export_id,
        content=event.model_dump_json(exclude_none=True),
        state="pending",
        created_at=now(),
    )


def _try(webhook: WebhookRecord, delivery: WebhookDelivery) -> Try:
    at, begun = now(), time.monotonic()
    status = error = None
    try:
        status = post(webhook.url, delivery.content.encode(), _headers(webhook, delivery, at))
        error = None if 200 <= status < 300 else _meaning(status)
    except CutlineError as failure:
        error = failure.message
    return Try(at=at, status=status, milliseconds=round(1000 * (time.monotonic() - begun)), error=error)


def _headers(webhook: WebhookRecord, delivery: WebhookDelivery, at: dt.datetime) -> dict[str, str]:
    timestamp = int(at.timestamp())
    secrets = SigningSecrets().valid(webhook.secret, webhook.rotated_at, at)
    content = delivery.content.encode()
    return {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(each, delivery.event_id, timestamp, content) for each in secrets),
    }


def _meaning(status: int) -> str:
    if status == GONE:
        return "the receiver answered 410 Gone: it wants no more, and was switched off"
    if 300 <= status < 400:
        return f"the receiver answered {status} and leads elsewhere, which we do not follow; name the address itself"
    return f"the receiver answered {status}; 2xx would be right"


def _after(delivery: WebhookDelivery, tried: Try, *, final: bool) -> WebhookDelivery:
    """``final``: what failed is not tried again."""
    failures = delivery.failures + (tried.error is not None)
    after = delivery.model_copy(update={"tries": (*delivery.tries, tried)[-KEPT_TRIES:], "failures": failures})
    if tried.error is None:
        return after.model_copy(update={"state": "done", "next_at": None})
    if final or failures > len(WAITS):
        return after.model_copy(update={"state": "failed", "next_at": None})
    return after.model_copy(update={"next_at": now() + dt.timedelta(seconds=WAITS[failures - 1])})


def _switch_off(webhooks: Webhooks, webhook: WebhookRecord) -> None:
    why = Failure(code="gone", message="the receiver answered 410 Gone; PATCH enabled: true switches it on again")
    try:
        webhooks.replace(webhook, webhook.model_copy(update={"enabled": False, "problem": why, "updated_at": now()}))
    except Conflict:  # its owner has just changed it: that stands
        return
