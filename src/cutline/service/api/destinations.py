"""/destinations: where users have their exports brought to; and one more delivery of an export that has ended."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from cutline.models.api import DestinationDelivery, ExportView
from cutline.models.api_destinations import (
    AuthorizeBody,
    ChangedDestination,
    DestinationList,
    DestinationView,
    NewDestination,
)
from cutline.service import destinations
from cutline.service.addresses import export_url
from cutline.service.api.answers import answer, caller, told
from cutline.service.callers import find_export
from cutline.service.deliveries import deliver_again
from cutline.service.destinations import view_of
from cutline.service.views import view_of as export_view

router = APIGatewayRouter()  # type: ignore[no-untyped-call]

DESTINATIONS = ["destinations"]

Id = Annotated[str, Path(description="As destination_id of a destination")]


@router.post(
    "/destinations",
    summary="Add a place of one's own for exports",
    description="An S3 bucket, a Dropbox account or a folder of an SFTP server. The answer says what is to be done "
    "there: setup and links.authorize. Try it with POST …/verify before relying on it.",
    operation_id="createDestination",
    tags=DESTINATIONS,
    responses=told(201, "It is there", DestinationView, Location="Of the destination"),
)
def create(body: Annotated[NewDestination, Body()]) -> Response[Any]:
    view = view_of(destinations.create_destination(caller(router), body))
    return answer(HTTPStatus.CREATED, view, {"Location": view.links["self"]})


@router.get(
    "/destinations",
    summary="List one's destinations",
    operation_id="listDestinations",
    tags=DESTINATIONS,
    responses=told(200, "In the order in which they were made", DestinationList),
)
def listed() -> Response[Any]:
    found = destinations.list_destinations(caller(router))
    return answer(HTTPStatus.OK, DestinationList(destinations=tuple(map(view_of, found))))


@router.get(
    "/destinations/<destination_id>",
    summary="Look at a destination",
    operation_id="getDestination",
    tags=DESTINATIONS,
    responses=told(200, "All but its secret", DestinationView, 404),
)
def found(destination_id: Id) -> Response[Any]:
    return answer(HTTPStatus.OK, view_of(destinations.find_destination(caller(router), destination_id)))


@router.patch(
    "/destinations/<destination_id>",
    summary="Change a destination",
    description="Settings are given whole. Where the secret would go to another server, it is given again, too.",
    operation_id="changeDestination",
    tags=DESTINATIONS,
    responses=told(200, "As it is from now on", DestinationView, 404, 409),
)
def changed(destination_id: Id, body: Annotated[ChangedDestination, Body()]) -> Response[Any]:
    return answer(HTTPStatus.OK, view_of(destinations.change_destination(caller(router), destination_id, body)))


@router.delete(
    "/destinations/<destination_id>",
    summary="Remove a destination, and its secret",
    description="Exports that are still to be brought there fail to arrive.",
    operation_id="deleteDestination",
    tags=DESTINATIONS,
    responses=told(204, "It is gone", None, 404, 409),
)
def deleted(destination_id: Id) -> Response[Any]:
    destinations.delete_destination(caller(router), destination_id)
    return answer(HTTPStatus.NO_CONTENT)


@router.post(
    "/destinations/<destination_id>/verify",
    summary="Try a destination",
    description="Writes a small file there, reads it back and removes it. problem says what is missing there.",
    operation_id="verifyDestination",
    tags=DESTINATIONS,
    responses=told(200, "state is verified or failing", DestinationView, 404),
)
def verified(destination_id: Id) -> Response[Any]:
    return answer(HTTPStatus.OK, view_of(destinations.verify_destination(caller(router), destination_id)))


@router.post(
    "/destinations/<destination_id>/authorize",
    summary="Let us into a Dropbox account",
    description="With the code that Dropbox gave when you followed links.authorize. The destination is tried at once.",
    operation_id="authorizeDestination",
    tags=DESTINATIONS,
    responses=told(200, "state is verified or failing", DestinationView, 404, 409),
)
def authorized(destination_id: Id, body: Annotated[AuthorizeBody, Body()]) -> Response[Any]:
    return answer(HTTPStatus.OK, view_of(destinations.authorize_destination(caller(router), destination_id, body)))


@router.post(
    "/exports/<export_id>/deliveries",
    summary="Deliver a finished export once more",
    description="To any destination, also to one where it is already. Its status stays as it is.",
    operation_id="deliverExport",
    tags=DESTINATIONS,
    responses=told(202, "It has been started", ExportView, 404, 409, Location="Of the export"),
)
def delivered(
    export_id: Annotated[str, Path(description="As export_id of an export")],
    body: Annotated[DestinationDelivery, Body()],
) -> Response[Any]:
    record = find_export(caller(router), export_id)
    deliver_again(record, body, caller(router).sub)
    return answer(HTTPStatus.ACCEPTED, export_view(record), {"Location": export_url(record.export_id)})
