"""Webhooks: who hears of the ends of exports. Their owners look after them here; sending is in webhook_sending.py."""

from __future__ import annotations

import json
import secrets
from typing import Any

from cutline.errors import InvalidRequest, NotFound, TooLarge
from cutline.models.api_webhooks import (
    NewWebhook,
    WebhookChange,
    WebhookDeliveryPage,
    WebhookDeliveryView,
    WebhookView,
)
from cutline.models.notification import WebhookDelivery, WebhookRecord
from cutline.models.record import now
from cutline.service.addresses import webhook_url
from cutline.service.callers import ID, Caller
from cutline.service.webhook_sending import due
from cutline.settings import service
from cutline.store.receivers import check_receiver
from cutline.store.signing import SigningSecrets
from cutline.store.webhooks import Webhooks

MOST = 20
"""Webhooks of one owner"""


def create_webhook(caller: Caller, body: NewWebhook) -> tuple[WebhookRecord, str]:
    """The webhook and its secret, which is shown only now. Raises InvalidRequest for an address that we may not send
    to, and TooLarge where there are enough of them."""
    _check(body.url)
    webhooks = Webhooks(service().table)
    webhook_id, at = secrets.token_hex(12), now()
    record = WebhookRecord(
        webhook_id=webhook_id,
        owner=caller.sub,
        url=body.url,
        events=_unique(body.events),
        enabled=True,
        secret=f"{service().secrets}webhooks/{webhook_id}",
        created_at=at,
        updated_at=at,
    )
    webhooks.create(record)
    try:
        if len(webhooks.of_owner(caller.sub)) > MOST:  # those that are made at this moment are counted, too
            raise TooLarge(f"{MOST} webhooks are the most that one has; delete one first")
        return record, _secrets().make(record.secret)
    except Exception:  # whatever it is, a webhook without a secret is none
        webhooks.delete(record)
        raise


def find_webhook(caller: Caller, webhook_id: str) -> WebhookRecord:
    """The caller's own. Raises NotFound."""
    if not ID.fullmatch(webhook_id):  # DynamoDB itself refuses keys that are too long
        raise NotFound(f"there is no webhook {webhook_id[:64]}")
    return Webhooks(service().table).get(caller.sub, webhook_id)


def list_webhooks(caller: Caller) -> list[WebhookRecord]:
    """The caller's own, oldest first."""
    return Webhooks(service().table).of_owner(caller.sub)


def change_webhook(caller: Caller, webhook_id: str, body: WebhookChange) -> tuple[WebhookRecord, str | None]:
    """The webhook as it is now, and its secret where that is new. Raises NotFound, InvalidRequest and Conflict."""
    before = find_webhook(caller, webhook_id)
    at = now()
    changes: dict[str, Any] = {"updated_at": at}
    if body.url is not None:
        _check(body.url)
        changes["url"] = body.url
    if body.events is not None:
        changes["events"] = _unique(body.events)
    if body.enabled is not None:
        changes |= {"enabled": body.enabled, "problem": None}
    if body.rotate_secret:
        changes["rotated_at"] = at
    after = before.model_copy(update=changes)
    Webhooks(service().table).replace(before, after)
    return after, _secrets().make(after.secret) if body.rotate_secret else None


def delete_webhook(caller: Caller, webhook_id: str) -> None:
    """With its secret and its log. Raises NotFound."""
    record = find_webhook(caller, webhook_id)
    _secrets().delete(record.secret)
    Webhooks(service().table).delete(record)


def page_of_deliveries(caller: Caller, webhook_id: str, *, limit: int, before: int | None) -> WebhookDeliveryPage:
    """What was sent to one of the caller's webhooks, newest first. Raises NotFound."""
    record = find_webhook(caller, webhook_id)
    found = Webhooks(service().table).deliveries(record.webhook_id, limit=limit, before=before)
    following = found[-1].number if len(found) == limit and found[-1].number > 1 else None
    return WebhookDeliveryPage(deliveries=tuple(map(delivery_view, found)), before=following)


def replay(caller: Caller, webhook_id: str, number: int) -> WebhookDelivery:
    """Send an event once more, with the same id. Raises NotFound, and Conflict where it is just being sent."""
    webhook, webhooks = find_webhook(caller, webhook_id), Webhooks(service().table)
    before = webhooks.delivery(webhook.webhook_id, number)
    again = {"state": "pending", "round": before.round + 1, "failures": 0, "next_at": now()}
    after = before.model_copy(update=again)
    webhooks.put_delivery(before, after)
    due(webhook.owner, after)
    return after


def view_of(record: WebhookRecord, secret: str | None = None) -> WebhookView:
    address = webhook_url(record.webhook_id)
    shown = record.model_dump(include=set(WebhookView.model_fields) - {"secret"})
    return WebhookView(**shown, secret=secret, links={"self": address, "deliveries": f"{address}/deliveries"})


def delivery_view(delivery: WebhookDelivery) -> WebhookDeliveryView:
    shown = delivery.model_dump(include=set(WebhookDeliveryView.model_fields))
    return WebhookDeliveryView(**shown, event=json.loads(delivery.content))


def _check(url: str) -> None:
    try:
        check_receiver(url)
    except InvalidRequest as error:
        raise InvalidRequest(error.message, pointer="/url") from error


def _unique(events: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(events))


def _secrets() -> SigningSecrets:
    return SigningSecrets(service().secrets_key)
