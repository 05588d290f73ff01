"""/webhooks: addresses that hear of the ends of one's exports, and of deliveries that end later."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from cutline.models.api_webhooks import (
    NewWebhook,
    WebhookChange,
    WebhookDeliveryPage,
    WebhookDeliveryView,
    WebhookList,
    WebhookView,
)
from cutline.service.addresses import webhook_url
from cutline.service.api.answers import answer, caller, told
from cutline.service.webhooks import (
    change_webhook,
    create_webhook,
    delete_webhook,
    delivery_view,
    find_webhook,
    list_webhooks,
    page_of_deliveries,
    replay,
    view_of,
)

router = APIGatewayRouter()  # type: ignore[no-untyped-call]

WEBHOOKS = ["webhooks"]
MOST = 100_000_000

Id = Annotated[str, Path(description="As webhook_id of a webhook")]
Number = Annotated[int, Path(ge=1, lt=MOST, description="As number of a delivery")]


@router.post(
    "/webhooks",
    summary="Have an address told of the ends of one's exports, and of deliveries that end later",
    description="CloudEvents 1.0 in JSON, signed by the Standard Webhooks specification with the secret of the answer.",
    operation_id="createWebhook",
    tags=WEBHOOKS,
    responses=told(201, "With its secret, which is shown only now", WebhookView, Location="Of the webhook"),
)
def create(body: NewWebhook) -> Response[Any]:
    record, secret = create_webhook(caller(router), body)
    return answer(HTTPStatus.CREATED, view_of(record, secret), {"Location": webhook_url(record.webhook_id)})


@router.get(
    "/webhooks",
    summary="List one's webhooks",
    operation_id="listWebhooks",
    tags=WEBHOOKS,
    responses=told(200, "Oldest first", WebhookList),
)
def listed() -> Response[Any]:
    return answer(HTTPStatus.OK, WebhookList(webhooks=tuple(map(view_of, list_webhooks(caller(router))))))


@router.get(
    "/webhooks/<webhook_id>",
    summary="Look at a webhook",
    operation_id="getWebhook",
    tags=WEBHOOKS,
    responses=told(200, "As it is now", WebhookView, 404),
)
def found(webhook_id: Id) -> Response[Any]:
    return answer(HTTPStatus.OK, view_of(find_webhook(caller(router), webhook_id)))


@router.patch(
    "/webhooks/<webhook_id>",
    summary="Change a webhook, or its secret",
    operation_id="changeWebhook",
    tags=WEBHOOKS,
    responses=told(200, "As it is now, with its secret where that is new", WebhookView, 404, 409),
)
def changed(webhook_id: Id, body: WebhookChange) -> Response[Any]:
    record, secret = change_webhook(caller(router), webhook_id, body)
    return answer(HTTPStatus.OK, view_of(record, secret))


@router.delete(
    "/webhooks/<webhook_id>",
    summary="Forget a webhook",
    operation_id="deleteWebhook",
    tags=WEBHOOKS,
    responses=told(204, "It is gone", None, 404),
)
def deleted(webhook_id: Id) -> Response[Any]:
    delete_webhook(caller(router), webhook_id)
    return answer(HTTPStatus.NO_CONTENT)


@router.get(
    "/webhooks/<webhook_id>/deliveries",
    summary="What was sent to a webhook",
    operation_id="listWebhookDeliveries",
    tags=WEBHOOKS,
    responses=told(200, "A page of them, newest first", WebhookDeliveryPage, 404),
)
def log(
    webhook_id: Id,
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many")] = 50,
    before: Annotated[int | None, Query(ge=1, lt=MOST, description="As the page before has it")] = None,
) -> Response[Any]:
    return answer(HTTPStatus.OK, page_of_deliveries(caller(router), webhook_id, limit=limit, before=before))


@router.post(
    "/webhooks/<webhook_id>/deliveries/<number>/replay",
    summary="Send an event once more",
    description="With the same webhook-id, by which its receiver can see that it is the same event.",
    operation_id="replayWebhookDelivery",
    tags=WEBHOOKS,
    responses=told(202, "It will be sent", WebhookDeliveryView, 404, 409),
)
def replayed(webhook_id: Id, number: Number) -> Response[Any]:
    return answer(HTTPStatus.ACCEPTED, delivery_view(replay(caller(router), webhook_id, number)))
