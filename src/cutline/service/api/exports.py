"""/exports: asked for, watched, ended, downloaded."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from cutline.models.api import EstimateView, ExportBody, ExportPage, ExportView, TileCollection
from cutline.models.audit import Audit, Logs
from cutline.models.record import ExportRecord, Status
from cutline.service import ending
from cutline.service.addresses import export_url
from cutline.service.api.answers import answer, caller, told
from cutline.service.api.examples import BODIES
from cutline.service.audit import audit_of
from cutline.service.callers import find_export
from cutline.service.estimating import estimate
from cutline.service.logs import logs_of
from cutline.service.submitting import submit
from cutline.service.tiles import tiles_of
from cutline.service.views import page_of, view_of

router = APIGatewayRouter()  # type: ignore[no-untyped-call]

MAX_ANSWER = 5 << 20
"""Bytes; a Lambda answers with 6 MB at most"""
SPARE_MS = 4_000
"""Of an invocation's time, for what follows after the last file that an estimate opens"""

GEOJSON = "application/geo+json"
EXPORTS = ["exports"]

ExportId = Annotated[str, Path(description="As export_id of an export")]
Cursor = Annotated[str | None, Query(max_length=2000, description="As the page before has it")]
NewExport = Annotated[ExportBody, Body(openapi_examples=BODIES)]


@router.post(
    "/exports",
    summary="Export an area",
    description="The same request within a day is the same export, unless that failed, was cancelled or was deleted.",
    operation_id="submitExport",
    tags=EXPORTS,
    responses=told(202, "It has been started, now or before", ExportView, 409, 424, Location="Of the export"),
)
def create(
    body: NewExport,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Requests with the same key are the same request, and with another key another one",
        ),
    ] = None,
) -> Response[Any]:
    record = submit(body, caller(router), idempotency_key=idempotency_key)
    return answer(HTTPStatus.ACCEPTED, view_of(record), {"Location": export_url(record.export_id)})


@router.post(
    "/exports/estimate",
    summary="Say what an export would take",
    description="Reads the headers of the scenes, 200 files at most.",
    operation_id="estimateExport",
    tags=EXPORTS,
    responses=told(200, "Pixels, tiles, bytes, time and cost", EstimateView, 424),
)
def estimated(body: NewExport) -> Response[Any]:
    left = router.lambda_context.get_remaining_time_in_millis
    return answer(HTTPStatus.OK, estimate(body, caller(router), enough_time=lambda: left() > SPARE_MS))


@router.get(
    "/exports",
    summary="List one's exports",
    description="Members of the group admin list those of another owner by `owner`, and everybody's by `owner=*`.",
    operation_id="listExports",
    tags=EXPORTS,
    responses=told(200, "A page of them, newest first", ExportPage),
)
def listed(
    status: Annotated[Status | None, Query(description="Only those")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many")] = 50,
    cursor: Cursor = None,
    owner: Annotated[
        str | None,
        Query(pattern=r"^(\*|[\w-]{1,128})$", description="A sub, or * for all; others than oneself for admins only"),
    ] = None,
) -> Response[Any]:
    page = page_of(caller(router), owner=owner, status=status, limit=limit, cursor=cursor)
    return answer(HTTPStatus.OK, page)


@router.get(
    "/exports/<export_id>",
    summary="Watch an export",
    operation_id="getExport",
    tags=EXPORTS,
    responses=told(200, "As it is now", ExportView, 404),
)
def watched(export_id: ExportId) -> Response[Any]:
    return answer(HTTPStatus.OK, view_of(_find(export_id)))


@router.get(
    "/exports/<export_id>/tiles",
    summary="Its tiles as GeoJSON",
    description="Each with its state: planned, done, empty (rendered, but without data) or failed.",
    operation_id="getTiles",
    tags=EXPORTS,
    responses=told(200, "A page of them", TileCollection, 404, content_type=GEOJSON),
)
def tiles(
    export_id: ExportId,
    limit: Annotated[int, Query(ge=1, le=10_000, description="At most so many")] = 10_000,
    cursor: Cursor = None,
) -> Response[Any]:
    return answer(HTTPStatus.OK, tiles_of(_find(export_id), limit=limit, cursor=cursor), content_type=GEOJSON)


@router.get(
    "/exports/<export_id>/audit",
    summary="Its story: who did what, when, with which inputs, and how each step went",
    description="Single tiles and children of the map are left out where an answer could not hold them.",
    operation_id="getAudit",
    tags=EXPORTS,
    responses=told(200, "All attempts, from the executions' histories", Audit, 404),
)
def audited(export_id: ExportId) -> Response[Any]:
    return answer(HTTPStatus.OK, _fitting(audit_of(_find(export_id))))


@router.get(
    "/exports/<export_id>/logs",
    summary="What the functions logged of it",
    operation_id="getLogs",
    tags=EXPORTS,
    responses=told(200, "A page of lines, oldest first", Logs, 404),
)
def logged(
    export_id: ExportId,
    function: Annotated[str | None, Query(max_length=40, description="Only that function's", examples=["plan"])] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many")] = 100,
    cursor: Cursor = None,
) -> Response[Any]:
    return answer(HTTPStatus.OK, logs_of(_find(export_id), function=function, limit=limit, cursor=cursor))


@router.post(
    "/exports/<export_id>/cancel",
    summary="Cancel a running export",
    operation_id="cancelExport",
    tags=EXPORTS,
    responses=told(200, "It is CANCELLED", ExportView, 404, 409),
)
def cancelled(export_id: ExportId) -> Response[Any]:
    return answer(HTTPStatus.OK, view_of(ending.cancel(_find(export_id), caller(router).sub)))


@router.post(
    "/exports/<export_id>/retry",
    summary="Try again an export that failed or was cancelled",
    description="A new attempt, which keeps the finished tiles.",
    operation_id="retryExport",
    tags=EXPORTS,
    responses=told(202, "It has been started again", ExportView, 404, 409, Location="Of the export"),
)
def retried(export_id: ExportId) -> Response[Any]:
    record = ending.retry(_find(export_id), caller(router).sub)
    return answer(HTTPStatus.ACCEPTED, view_of(record), {"Location": export_url(record.export_id)})


@router.delete(
    "/exports/<export_id>",
    summary="Delete an export that has ended, and its file",
    operation_id="deleteExport",
    tags=EXPORTS,
    responses=told(204, "It is gone", None, 404, 409),
)
def deleted(export_id: ExportId) -> Response[Any]:
    ending.delete(_find(export_id), caller(router).sub)
    return answer(HTTPStatus.NO_CONTENT)


def _fitting(audit: Audit) -> Audit:
    """``audit``, short enough for an answer: tens of thousands of tiles are counted rather than listed."""
    if len(audit.model_dump_json()) <= MAX_ANSWER:
        return audit
    attempts = tuple(
        attempt.model_copy(update={"children": (), "tiles": attempt.tiles.model_copy(update={"rendered": ()})})
        for attempt in audit.attempts
    )
    return audit.model_copy(update={"attempts": attempts})


def _find(export_id: str) -> ExportRecord:
    return find_export(caller(router), export_id)
