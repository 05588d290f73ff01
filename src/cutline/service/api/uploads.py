"""/uploads: vector files that become areas."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from cutline.models.api_uploads import NewUpload, UploadPage, UploadView
from cutline.models.upload import Reading
from cutline.service.api.answers import answer, caller, told
from cutline.service.uploads import (
    begin_upload,
    delete_upload,
    find_upload,
    form_view,
    list_uploads,
    upload_url,
    view_of,
)

router = APIGatewayRouter()  # type: ignore[no-untyped-call]

UPLOADS = ["uploads"]

UploadId = Annotated[str, Path(description="As upload_id of an upload")]


@router.post(
    "/uploads",
    summary="Upload an area",
    description="Answers with a form for the file: a zipped Shapefile, GeoJSON, KML, KMZ, GeoPackage or FlatGeobuf.",
    operation_id="createUpload",
    tags=UPLOADS,
    responses=told(201, "The file may come", UploadView, 404, Location="Of the upload"),
)
def create(body: NewUpload) -> Response[Any]:
    reading = Reading(**body.model_dump(include=set(Reading.model_fields)))
    record, form = begin_upload(caller(router), body.filename, reading, body.preset)
    view = view_of(record).model_copy(update={"form": form_view(form)})
    return answer(HTTPStatus.CREATED, view, {"Location": upload_url(record.upload_id)})


@router.get(
    "/uploads",
    summary="List one's uploads",
    operation_id="listUploads",
    tags=UPLOADS,
    responses=told(200, "A page of them, newest first", UploadPage),
)
def listed(
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many")] = 50,
    cursor: Annotated[str | None, Query(max_length=2000, description="As the page before has it")] = None,
) -> Response[Any]:
    records, more = list_uploads(caller(router), limit=limit, cursor=cursor)
    return answer(HTTPStatus.OK, UploadPage(uploads=tuple(map(view_of, records)), cursor=more))


@router.get(
    "/uploads/<upload_id>",
    summary="What was found in an upload",
    description="Its area comes along where that is small; links.geojson leads to it, for some minutes.",
    operation_id="getUpload",
    tags=UPLOADS,
    responses=told(200, "As it is now", UploadView, 404),
)
def found(upload_id: UploadId) -> Response[Any]:
    return answer(HTTPStatus.OK, view_of(find_upload(caller(router), upload_id), whole=True))


@router.delete(
    "/uploads/<upload_id>",
    summary="Delete an upload: its file, its area and what was found in it",
    description="Not while it is imported, or while the export that its preset makes of it runs.",
    operation_id="deleteUpload",
    tags=UPLOADS,
    responses=told(204, "It is gone", None, 404, 409),
)
def deleted(upload_id: UploadId) -> Response[Any]:
    delete_upload(find_upload(caller(router), upload_id))
    return answer(HTTPStatus.NO_CONTENT)
