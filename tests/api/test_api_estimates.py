"""Estimates and tiles: what the engine says, over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from pyproj import Transformer

from cutline.estimate import estimate
from cutline.export import plan_request
from cutline.models.record import TileRecord, now
from cutline.models.task import ExportTask
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.plans import Plans
from cutline.store.records import Records
from tests.support.api import ANNA, Call, call
from tests.support.aws import SCENES
from tests.support.exports import make_export
from tests.support.scenes import make_request, texture, write_scene

TO_LONLAT = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform
CORNERS = ((400500, 5599500), (405500, 5599500), (405500, 5594500), (400500, 5594500), (400500, 5599500))
AREA = {"type": "Polygon", "coordinates": [[list(TO_LONLAT(*corner)) for corner in CORNERS]]}


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "scene.tif", texture((4, 600, 600)))


@pytest.fixture
def remote(aws_server: ServiceSettings, scene: Path) -> str:
    """The scene where the service may read it."""
    client("s3").put_object(Bucket=SCENES, Key="scene.tif", Body=scene.read_bytes())
    return f"s3://{SCENES}/scene.tif"


def body(*scenes: Any, **more: Any) -> dict[str, Any]:
    return {"source": {"scenes": list(scenes)}, "aoi": AREA, **more}


def test_an_estimate_is_the_engines(remote: str, scene: Path) -> None:
    answer = call("POST", "/exports/estimate", body=body(remote, process="ndvi", output={"resolution": 10}))
    assert answer.status == 200, answer
    told = answer.json
    plan = plan_request(make_request(scene, aoi=AREA, resolution=10, process=plan_graph()))
    figures = estimate(plan, len(plan.tiles))
    assert told["pixels"] == plan.pixels == 250_000
    assert (told["tiles"], told["bytes_max"], told["crs"]) == (len(plan.tiles), figures.bytes_max, "EPSG:32633")
    assert (told["scenes"], told["bands"], told["dtype"], told["warnings"]) == (1, 1, "float32", [])
    assert 0 < told["cost_usd"]["low"] <= told["cost_usd"]["high"]


def plan_graph() -> Any:
    from cutline.process import named_graph

    return named_graph("ndvi")


def test_an_estimate_tells_what_would_stop_the_export(remote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_LIMITS", '{"pixels_an_export": 1000}')
    told = call("POST", "/exports/estimate", body=body(remote, max_cost=0.000001)).json
    assert [word for word in ("1,000 that an export may have", "max_cost") for text in told["warnings"] if word in text]
    assert len(told["warnings"]) == 2


def test_an_estimate_keeps_nothing(remote: str, aws_server: ServiceSettings) -> None:
    call("POST", "/exports/estimate", body=body(remote))
    assert client("dynamodb").scan(TableName=aws_server.table)["Count"] == 0
    assert client("s3").list_objects_v2(Bucket=aws_server.exports_bucket)["KeyCount"] == 0


def test_two_hundred_files_are_read_and_no_more(remote: str) -> None:
    refused = call("POST", "/exports/estimate", body=body({f"b{number}": remote for number in range(201)}))
    assert (refused.status, refused.json["code"]) == (413, "too-large")
    assert "200 files at most" in refused.json["detail"]


def test_a_missing_scene_is_told(remote: str) -> None:
    refused = call("POST", "/exports/estimate", body=body(remote, f"s3://{SCENES}/none.tif"))
    assert (refused.status, refused.json["pointer"]) == (422, "/source/scenes/1")
    assert "no such object" in refused.json["detail"]


# Tiles -----------------------------------------------------------------------------------------------------------


def planned(aws: ServiceSettings, scene: Path, **output: Any) -> tuple[str, Any]:
    """An export of 3 × 3 tiles or so, some of which are done."""
    record = make_export("a" * 24, owner=ANNA)
    plan = plan_request(make_request(scene, aoi=AREA, **output), edge=512)
    Plans(aws.work_bucket).keep(ExportTask(export_id=record.export_id, attempt=1), plan)
    records = Records(aws.table)
    for tile, state in zip(plan.tiles, ("done", "empty", "failed"), strict=False):
        records.put_tile(
            record.export_id,
            TileRecord(row=tile.row, col=tile.col, attempt=1, state=state, key=tile.key, at=now()),  # type: ignore[arg-type]
        )
    return record.export_id, plan


def test_tiles_are_geojson_with_their_states(api: Call, aws: ServiceSettings, scene: Path) -> None:
    export_id, plan = planned(aws, scene, resolution=4)
    answer = api("GET", f"/exports/{export_id}/tiles")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/geo+json")
    features = answer.json["features"]
    assert answer.json["numberMatched"] == len(features) == len(plan.tiles) == 9
    states = [feature["properties"]["state"] for feature in features]
    assert states == ["done", "empty", "failed"] + ["planned"] * 6
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features]
    # They cover the area, side by side.
    assert shapely.union_all(shapes).buffer(1e-5).covers(shapely.geometry.shape(AREA))
    overlap = sum(one.intersection(two).area for one in shapes for two in shapes if one is not two)
    assert overlap < 1e-4 * sum(shape.area for shape in shapes)
    assert shapes[0].exterior.is_ccw


def test_tiles_come_in_pages(api: Call, aws: ServiceSettings, scene: Path) -> None:
    export_id, plan = planned(aws, scene, resolution=4)
    seen, cursor = [], None
    while True:
        query = {"limit": "4", **({"cursor": cursor} if cursor else {})}
        page = api("GET", f"/exports/{export_id}/tiles", query=query).json
        seen += [feature["id"] for feature in page["features"]]
        if not (cursor := page["cursor"]):
            break
    assert seen == [f"{tile.row}/{tile.col}" for tile in plan.tiles]
    assert api("GET", f"/exports/{export_id}/tiles", query={"cursor": "-1"}).status == 422
    assert api("GET", f"/exports/{export_id}/tiles", query={"cursor": "999"}).json["features"] == []


def test_tiles_over_the_antimeridian_are_cut_there(api: Call, aws: ServiceSettings, tmp_path: Path) -> None:
    from affine import Affine

    here = Affine(10.0, 0.0, 815000.0, 0.0, -10.0, 100000.0)  # of UTM zone 60, whose east ends at 833 km
    pixels = np.ones((1, 4000, 4000), "uint8")
    scene = write_scene(tmp_path / "s.tif", pixels, crs="EPSG:32660", transform=here, names=("red",))
    record = make_export("b" * 24, owner=ANNA)
    plan = plan_request(make_request(scene), edge=4096)
    Plans(aws.work_bucket).keep(ExportTask(export_id=record.export_id, attempt=1), plan)
    (feature,) = api("GET", f"/exports/{record.export_id}/tiles").json["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    west, _, east, _ = shapely.geometry.shape(feature["geometry"]).bounds
    assert (west, east) == (-180.0, 180.0)
    assert shapely.geometry.shape(feature["geometry"]).area < 1


def test_no_tiles_before_there_is_a_plan(api: Call) -> None:
    record = make_export("c" * 24, owner=ANNA)
    assert api("GET", f"/exports/{record.export_id}/tiles").json == {
        "type": "FeatureCollection", "features": [], "numberMatched": 0, "cursor": None,
    }  # fmt: skip
