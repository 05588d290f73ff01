"""Who is told of the end of an export, and of deliveries that end later, by mail and by webhooks; and what becomes of
it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from cutline.models.base import Model
from cutline.models.record import DeliveryState, Failure, Status

EventType = Literal[
    "cutline.export.succeeded",
    "cutline.export.failed",
    "cutline.export.cancelled",
    "cutline.delivery.succeeded",
    "cutline.delivery.failed",
]
EVENT_OF: dict[Status, EventType] = {
    "SUCCESS": "cutline.export.succeeded",
    "ERROR": "cutline.export.failed",
    "CANCELLED": "cutline.export.cancelled",
}
"""What the end of an attempt is called"""
EVENT_OF_DELIVERY: dict[DeliveryState, EventType] = {
    "done": "cutline.delivery.succeeded",
    "failed": "cutline.delivery.failed",
}
"""What the end of a delivery by an execution of its own is called"""
WebhookUrl = Annotated[
    str,
    Field(min_length=9, max_length=2000, description="https://, of a public host", examples=["https://example.org/in"]),
]

MailWish = Literal["asked", "always", "failures", "never"]


class Preferences(Model):
    """How one account wants to be told."""

    email: MailWish = Field(
        default="asked",
        description="asked: of exports whose request says so; always: of every export; failures: of every one that "
        "fails; never. Of deliveries that end after their export likewise",
    )
    link: bool = Field(
        default=True,
        description="Put a link into mails that works without signing in, for 7 days and for whoever has the mail",
    )
    attach: bool = Field(default=False, description="Attach the file to the mail, where it is smaller than 5 MB")


class WebhookRecord(Model):
    """An address that wants to hear of its owner's exports."""

    webhook_id: str
    owner: str
    url: str
    events: tuple[EventType, ...]
    enabled: bool
    secret: str
    """Name of its signing secret; the secret itself is kept elsewhere (store/signing.py)"""
    rotated_at: AwareDatetime | None = None
    """When the secret became another; the one before signs too for a day"""
    created_at: AwareDatetime
    updated_at: AwareDatetime
    problem: Failure | None = None
    """Why we have switched it off"""


class Try(Model):
    """One request to a webhook, and what came of it."""

    at: AwareDatetime
    status: int | None = None
    """HTTP's; None where nothing answered"""
    milliseconds: int
    error: str | None = None


class WebhookDelivery(Model):
    """One event on its way to one webhook."""

    webhook_id: str
    number: int = Field(ge=1)
    event_id: str
    type: EventType
    export_id: str
    content: str
    """The CloudEvent as it is sent, always the same bytes"""
    state: DeliveryState
    tries: tuple[Try, ...] = ()
    """The latest of them"""
    round: int = 1
    """1 and one more for each replay"""
    failures: int = 0
    """Of this round"""
    created_at: AwareDatetime
    next_at: AwareDatetime | None = None
    """When it is tried next"""


class Brought(Model):
    """What became of one of an export's deliveries."""

    delivery_id: str
    kind: str
    destination_id: str | None = None
    state: DeliveryState
    uri: str | None = None
    checksum: str | None = None
    error: Failure | None = None


class ExportEnded(Model):
    """The data of an event: the export at its end."""

    export_id: str
    name: str
    attempt: int
    status: Status
    created_at: AwareDatetime
    ended_at: AwareDatetime
    pixels: int | None = None
    nbytes: int | None = None
    crc64nvme: str | None = None
    warnings: tuple[str, ...] = ()
    error: Failure | None = None
    deliveries: tuple[Brought, ...] = ()
    links: dict[str, str] = Field(description="self and, where there is a file, download")


class DeliveryEnded(Model):
    """The data of an event: a delivery by an execution of its own, at that one's end."""

    export_id: str
    name: str
    """Of the export"""
    delivery: Brought
    links: dict[str, str] = Field(description="Of the export: self and, where there is a file, download")


class CloudEvent(Model):
    """CloudEvents 1.0, structured."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: EventType
    subject: str
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    data: ExportEnded | DeliveryEnded


class EndNotice(Model):
    """To the notify function: an attempt has ended, and its execution could not say so itself."""

    kind: Literal["end"] = "end"
    export_id: str
    attempt: int


class DeliveryNotice(Model):
    """To the notify function: the execution of a delivery of its own has ended, and so has the delivery."""

    kind: Literal["delivery"] = "delivery"
    export_id: str
    delivery_id: str
    execution: str
    """By name"""


class WebhookNotice(Model):
    """To the notify function: what is sent to a webhook is due."""

    kind: Literal["webhook"] = "webhook"
    owner: str
    webhook_id: str
    number: int
    round: int


Notice = Annotated[EndNotice | DeliveryNotice | WebhookNotice, Field(discriminator="kind")]
