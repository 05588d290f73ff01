"""/presets: requests under names, by which files are exported that are dropped into the inbox."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from cutline.models.api import ExportBody
from cutline.models.api_uploads import PresetList, PresetView
from cutline.models.upload import PRESET_NAME
from cutline.service.api.answers import answer, caller, told
from cutline.service.presets import delete_preset, find_preset, keep_preset, list_presets, view_of

router = APIGatewayRouter()  # type: ignore[no-untyped-call]

PRESETS = ["presets"]

Name = Annotated[str, Path(pattern=PRESET_NAME, description="Letters, digits, - and _")]


@router.put(
    "/presets/<name>",
    summary="Keep a request under a name",
    description="An export's body without an area. Files under inbox/{owner}/{name}/ are exported by it.",
    operation_id="putPreset",
    tags=PRESETS,
    responses=told(200, "It is kept", PresetView),
)
def kept(name: Name, body: Annotated[ExportBody, Body()]) -> Response[Any]:
    return answer(HTTPStatus.OK, view_of(keep_preset(caller(router), name, body)))


@router.get(
    "/presets",
    summary="List one's presets",
    operation_id="listPresets",
    tags=PRESETS,
    responses=told(200, "By name", PresetList),
)
def listed() -> Response[Any]:
    return answer(HTTPStatus.OK, PresetList(presets=tuple(map(view_of, list_presets(caller(router))))))


@router.get(
    "/presets/<name>",
    summary="Look at a preset",
    operation_id="getPreset",
    tags=PRESETS,
    responses=told(200, "As it was kept", PresetView, 404),
)
def found(name: Name) -> Response[Any]:
    return answer(HTTPStatus.OK, view_of(find_preset(caller(router), name)))


@router.delete(
    "/presets/<name>",
    summary="Forget a preset",
    operation_id="deletePreset",
    tags=PRESETS,
    responses=told(204, "It is gone", None, 404),
)
def deleted(name: Name) -> Response[Any]:
    delete_preset(caller(router), name)
    return answer(HTTPStatus.NO_CONTENT)
