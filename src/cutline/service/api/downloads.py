"""Files of exports, by their owners and by share links."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from cutline.errors import NotFound
from cutline.models.record import Event, now
from cutline.models.traffic import File
from cutline.service import sharing
from cutline.service.api.answers import Responses, answer, caller, told
from cutline.service.callers import find_export
from cutline.service.downloads import Facts, facts_of, redirect
from cutline.settings import service
from cutline.store.records import Records

router = APIGatewayRouter()  # type: ignore[no-untyped-call]

SHARED = "/l/"
"""What the paths of share links begin with. The rest is for those alone who were given it, and for no log"""
PUBLIC = re.compile(SHARED + "[^/]+/?")
"""Paths that anybody may ask for who knows them"""

ExportId = Annotated[str, Path(description="As export_id of an export")]
Asset = Annotated[File, Query(description="The COG, or the STAC item about it")]
Token = Annotated[str, Path(description="The end of a share link")]
Range = Annotated[
    str | None,
    Header(alias="Range", description="What of the file is wanted, bytes=FIRST-LAST: so much is set aside"),
]

HELD = {
    "Content_Length": "Bytes of the file",
    "Accept_Ranges": "bytes",
    "ETag": "Of its content",
    "Content_Disposition": "Its name",
    "x_amz_checksum_crc64nvme": "CRC-64/NVME of the whole COG, in Base64",
}


def _redirects(*problems: int) -> Responses:
    return told(307, "Where it is, for some minutes", None, *problems, Location="Signed; for some minutes")


@router.get(
    "/exports/<export_id>/download",
    summary="Download the COG, or its STAC item",
    description="Redirects to an address that holds for minutes. This one stays.",
    operation_id="downloadExport",
    tags=["exports"],
    responses=_redirects(404, 429),
)
def download(export_id: ExportId, asset: Asset = "cog", ranged: Range = None) -> Response[Any]:
    who = caller(router)
    record = find_export(who, export_id)
    where = redirect(record, asset, by=who.sub, ranged=ranged)
    event = Event(at=now(), what="downloaded", by=who.sub, attempt=record.attempt, details={"asset": asset})
    Records(service().table).add_event(record.export_id, event)
    return _led(where)


@router.head(
    "/exports/<export_id>/download",
    summary="Ask how large the COG is, or its STAC item, and for its checksum",
    operation_id="headExport",
    tags=["exports"],
    responses=told(200, "About the file", None, 404, **HELD),
)
def head(export_id: ExportId, asset: Asset = "cog") -> Response[Any]:
    return _held(facts_of(find_export(caller(router), export_id), asset))


@router.get(
    "/l/<token>",
    summary="Download by a share link",
    description="Whoever has it may. Redirects to an address that holds for minutes.",
    operation_id="openLink",
    tags=["links"],
    security=[],
    responses=_redirects(404, 429, 503),
)
def opened(token: Token, ranged: Range = None) -> Response[Any]:
    record, link = sharing.opened(token)
    try:
        where = redirect(record, link.file, by=f"link#{link.link_id}", link=link, ranged=ranged)
    except NotFound as error:  # whoever has a link need not learn more
        raise sharing.closed() from error
    return _led(where)


@router.head(
    "/l/<token>",
    summary="Ask how large the file behind a share link is",
    description="Counts for nothing.",
    operation_id="headLink",
    tags=["links"],
    security=[],
    responses=told(200, "About the file", None, 404, 503, **HELD),
)
def looked_at(token: Token) -> Response[Any]:
    record, link = sharing.opened(token)
    try:
        return _held(facts_of(record, link.file))
    except NotFound as error:
        raise sharing.closed() from error


def _led(where: str) -> Response[Any]:
    return answer(HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": where})


def _held(facts: Facts) -> Response[Any]:
    return answer(HTTPStatus.OK, headers=facts.headers)
