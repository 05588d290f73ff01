"""Files of exports, by their owners and by share links."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from cutline.errors import NotFound, RateLimited
from cutline.models.record import Event, ExportRecord, now
from cutline.models.traffic import File
from cutline.service import sharing
from cutline.service.api.answers import Responses, answer, caller, told
from cutline.service.callers import find_export
from cutline.service.downloads import described, redirect
from cutline.settings import service
from cutline.store.records import Records

router = APIGatewayRouter()  # type: ignore[no-untyped-call]

DESCRIBED = (
    "Redirects to an address for HEAD alone, which holds for minutes and answers Content-Length, Accept-Ranges, ETag, "
    "Content-Disposition and, of the COG, x-amz-checksum-crc64nvme."
)

SHARED = "/l/"
"""What the paths of share links begin with. The rest is for those alone who were given it, and for no log"""
PUBLIC = re.compile(SHARED + "[^/]+/?")
"""Paths that anybody may ask for who knows them"""

ExportId = Annotated[str, Path(description="As export_id of an export")]
Asset = Annotated[File, Query(description="The COG, or the STAC item about it")]
Token = Annotated[str, Path(description="The end of a share link")]
Range = Annotated[
    str | None,
    Header(
        alias="Range",
        description="What of the file is wanted, bytes=FIRST-LAST: so much is set aside. Of a link with max_bytes, and "
        "where less than the file is left of the month, the address is good for this Range alone",
    ),
]


def _redirects(*problems: int) -> Responses:
    return told(307, "Where it is, for some minutes", None, *problems, Location="Signed; for some minutes")


@router.get(
    "/exports/<export_id>/download",
    summary="Download the COG, or its STAC item",
    description="Redirects to an address that holds for minutes. This one stays.",
    operation_id="downloadExport",
    tags=["exports"],
    responses=_redirects(404, 416, 429),
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
    description=DESCRIBED,
    operation_id="headExport",
    tags=["exports"],
    responses=_redirects(404),
)
def head(export_id: ExportId, asset: Asset = "cog") -> Response[Any]:
    return _described(find_export(caller(router), export_id), asset)


@router.get(
    "/l/<token>",
    summary="Download by a share link",
    description="Whoever has it may. Redirects to an address that holds for minutes.",
    operation_id="openLink",
    tags=["links"],
    security=[],
    responses=_redirects(404, 416, 429, 503),
)
def opened(token: Token, ranged: Range = None) -> Response[Any]:
    record, link = sharing.opened(token)
    try:
        where = redirect(record, link.file, by=f"link#{link.link_id}", link=link, ranged=ranged)
    except NotFound as error:  # whoever has a link need not learn more
        raise sharing.closed() from error
    except RateLimited as error:  # nor the figures of its owner's month
        raise RateLimited("this link gives nothing now; try again later", details=error.details) from error
    return _led(where)


@router.head(
    "/l/<token>",
    summary="Ask how large the file behind a share link is",
    description=f"{DESCRIBED} Counts for nothing.",
    operation_id="headLink",
    tags=["links"],
    security=[],
    responses=_redirects(404, 503),
)
def looked_at(token: Token) -> Response[Any]:
    record, link = sharing.opened(token)
    try:
        return _described(record, link.file)
    except NotFound as error:
        raise sharing.closed() from error


def _described(record: ExportRecord, file: File) -> Response[Any]:
    """With the checksum, too: S3 does not promise to heed x-amz-checksum-mode in a query."""
    where, crc = described(record, file), record.result and record.result.crc64nvme
    known = {"x-amz-checksum-crc64nvme": crc} if file == "cog" and crc else {}
    return answer(HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": where, **known})


def _led(where: str) -> Response[Any]:
    return answer(HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": where})
