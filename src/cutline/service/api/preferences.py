"""/me/preferences: how one wants to be told of one's exports."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from cutline.models.api_webhooks import PreferencesChange
from cutline.models.notification import Preferences
from cutline.service.api.answers import answer, caller, told
from cutline.settings import service
from cutline.store.webhooks import Accounts

router = APIGatewayRouter()  # type: ignore[no-untyped-call]


@router.get(
    "/me/preferences",
    summary="How one is told of one's exports",
    operation_id="getPreferences",
    tags=["account"],
    responses=told(200, "As they are now", Preferences),
)
def found() -> Response[Any]:
    return answer(HTTPStatus.OK, Accounts(service().table).preferences(caller(router).sub))


@router.patch(
    "/me/preferences",
    summary="Change how one is told of one's exports",
    operation_id="changePreferences",
    tags=["account"],
    responses=told(200, "As they are now", Preferences),
)
def changed(body: PreferencesChange) -> Response[Any]:
    accounts, sub = Accounts(service().table), caller(router).sub
    after = accounts.preferences(sub).model_copy(update=body.model_dump(exclude_none=True))
    accounts.keep_preferences(sub, after)
    return answer(HTTPStatus.OK, after)
