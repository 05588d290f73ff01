"""What /webhooks and /me/preferences take and answer."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import AwareDatetime, Field

from cutline.models.api import YesNo
from cutline.models.base import Model
from cutline.models.notification import EventType, MailWish, Try, WebhookUrl
from cutline.models.record import DeliveryState, Failure

ALL_EVENTS: tuple[EventType, ...] = get_args(EventType)
Events = Annotated[tuple[EventType, ...], Field(min_length=1, max_length=len(ALL_EVENTS))]


class NewWebhook(Model):
    """An address that is to hear of one's exports."""

    url: WebhookUrl
    events: Events = ALL_EVENTS


class WebhookChange(Model):
    """What is left out stays as it is."""

    url: WebhookUrl | None = None
    events: Events | None = None
    enabled: YesNo | None = Field(default=None, description="true also forgets why it was switched off")
    rotate_secret: YesNo = Field(default=False, description="Make a new secret; the old one signs too for a day")


class WebhookView(Model):
    """A webhook as its owner sees it."""

    webhook_id: str
    url: str
    events: tuple[EventType, ...]
    enabled: bool
    created_at: AwareDatetime
    updated_at: AwareDatetime
    problem: Failure | None = Field(default=None, description="Why it was switched off")
    secret: str | None = Field(
        default=None,
        description="By which to verify what comes (Standard Webhooks). Shown when it is made, and then only",
    )
    links: dict[str, str] = Field(description="self and deliveries")


class WebhookList(Model):
    """Webhooks, oldest first."""

    webhooks: tuple[WebhookView, ...]


class WebhookDeliveryView(Model):
    """One event on its way to a webhook."""

    number: int
    event_id: str
    type: EventType
    export_id: str
    state: DeliveryState
    tries: tuple[Try, ...] = Field(description="The latest of them")
    created_at: AwareDatetime
    next_at: AwareDatetime | None = Field(default=None, description="When it is tried again")
    event: dict[str, Any] = Field(description="What is sent: a CloudEvent")


class WebhookDeliveryPage(Model):
    """Deliveries of a webhook, newest first; they are kept for 30 days."""

    deliveries: tuple[WebhookDeliveryView, ...]
    before: int | None = Field(default=None, description="For the next page; null on the last one")


class PreferencesChange(Model):
    """What is left out stays as it is."""

    email: MailWish | None = None
    link: YesNo | None = None
    attach: YesNo | None = None
