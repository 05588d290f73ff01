"""/exports/{export_id}/links: share links of an export, as their owner keeps them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from cutline.models.api_links import LinkList, LinkView, NewLink
from cutline.models.record import ExportRecord
from cutline.service import links
from cutline.service.addresses import export_url
from cutline.service.api.answers import answer, caller, told
from cutline.service.callers import find_export

router = APIGatewayRouter()  # type: ignore[no-untyped-call]

LINKS = ["links"]

ExportId = Annotated[str, Path(description="As export_id of an export")]
LinkId = Annotated[str, Path(description="As link_id of a link")]


@router.post(
    "/exports/<export_id>/links",
    summary="Share a finished export",
    description="Answers with an address that needs no token. It is told once.",
    operation_id="createLink",
    tags=LINKS,
    responses=told(201, "It may be given away", LinkView, 404, 409, Location="Of the link, for its owner"),
)
def create(export_id: ExportId, body: NewLink) -> Response[Any]:
    view = links.create(_find(export_id), body, caller(router).sub)
    return answer(HTTPStatus.CREATED, view, {"Location": export_url(export_id, f"links/{view.link_id}")})


@router.get(
    "/exports/<export_id>/links",
    summary="List the share links of an export",
    operation_id="listLinks",
    tags=LINKS,
    responses=told(200, "All of them, with what they were used for", LinkList, 404),
)
def listed(export_id: ExportId) -> Response[Any]:
    return answer(HTTPStatus.OK, links.listed(_find(export_id)))


@router.get(
    "/exports/<export_id>/links/<link_id>",
    summary="What a share link was used for",
    operation_id="getLink",
    tags=LINKS,
    responses=told(200, "As it is now", LinkView, 404),
)
def found(export_id: ExportId, link_id: LinkId) -> Response[Any]:
    return answer(HTTPStatus.OK, links.view_of(links.find(_find(export_id), link_id)))


@router.delete(
    "/exports/<export_id>/links/<link_id>",
    summary="Take a share link back",
    description="It leads nowhere from now on. An address that it has led to works for the rest of its minutes.",
    operation_id="deleteLink",
    tags=LINKS,
    responses=told(204, "It is gone", None, 404),
)
def revoked(export_id: ExportId, link_id: LinkId) -> Response[Any]:
    links.revoke(_find(export_id), link_id, caller(router).sub)
    return answer(HTTPStatus.NO_CONTENT)


def _find(export_id: str) -> ExportRecord:
    return find_export(caller(router), export_id)
