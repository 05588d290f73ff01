"""Who one is, and what the service says of itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from cutline import __version__
from cutline.models.api import ConfigView, Health, LimitsView, MeView, UseView
from cutline.models.record import now
from cutline.service.api.answers import answer, caller, told
from cutline.service.callers import SCOPE
from cutline.settings import service
from cutline.store.metering import Traffic
from cutline.store.quotas import Quotas

router = APIGatewayRouter()  # type: ignore[no-untyped-call]

PUBLIC = frozenset({"/health", "/config", "/openapi.json", "/docs"})
"""Paths that anybody may read"""


@router.get(
    "/me",
    summary="Who one is, with limits and use",
    operation_id="getMe",
    tags=["account"],
    responses=told(200, "The caller", MeView),
)
def me() -> Response[Any]:
    settings, who = service(), caller(router)
    limits = settings.limits
    taken = Quotas(settings.table, limits).used(who.sub)
    left = Traffic(settings.table, bytes_a_month=limits.bytes_a_month).account(who.sub, now())
    view = MeView(
        sub=who.sub,
        username=who.username,
        admin=who.is_admin,
        limits=LimitsView(**limits.model_dump()),
        used=UseView(**taken, bytes_this_month=left.total),
    )
    return answer(HTTPStatus.OK, view)


@router.get(
    "/health",
    summary="Whether the API answers",
    operation_id="getHealth",
    tags=["service"],
    security=[],
    responses=told(200, "It does", Health),
)
def health() -> Response[Any]:
    return answer(HTTPStatus.OK, Health(version=__version__))


@router.get(
    "/config",
    summary="What a client has to know to sign in",
    operation_id="getConfig",
    tags=["service"],
    security=[],
    responses=told(200, "Addresses, and the client id of people's programs", ConfigView),
)
def config() -> Response[Any]:
    settings = service()
    login = (settings.login_url or settings.url).rstrip("/")
    view = ConfigView(
        authorize_url=f"{login}/oauth2/authorize",
        token_url=f"{login}/oauth2/token",
        client_id=settings.client_id,
        scope=SCOPE,
        version=__version__,
        url=settings.url,
        basemap=settings.basemap,
    )
    return answer(HTTPStatus.OK, view)
