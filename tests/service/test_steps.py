"""Plan, RenderTile and Assemble through their handlers, against S3 and DynamoDB on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cutline.cog.validate import validate
from cutline.errors import Conflict, InternalError, InvalidRequest, NotFound, TransientError
from cutline.errors import InternalError as Internal
from cutline.export import export
from cutline.models.record import Status
from cutline.settings import ServiceSettings, service
from cutline.store.bucket import Bucket
from cutline.store.clients import client
from cutline.store.items import typed
from cutline.store.records import Records
from cutline.store.s3_workspace import S3Workspace
from tests.support.plans import area_of
from tests.support.scenes import make_request, texture, write_scene
from tests.support.steps import OWNER, Context, Submitted, content_of, put_scene, submitted

AREA = area_of(400500, 5587500, 413500, 5599800)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough for several tiles and a level above them."""
    return write_scene(tmp_path_factory.mktemp("scenes") / "a.tif", texture((3, 1300, 1400)), nodata=0)


@pytest.fixture
def body(aws_server: ServiceSettings, scene: Path) -> dict[str, Any]:
    """A request of four tiles."""
    return {"source": {"scenes": [put_scene(scene)]}, "aoi": AREA, "bands": ["red"]}


def told(failed: pytest.ExceptionInfo[Exception]) -> dict[str, str]:
    """Code and message of a handler's error."""
    told: dict[str, str] = json.loads(str(failed.value))
    return told


def remove(href: str) -> None:
    """An object, by its s3:// address."""
    bucket, _, key = href.removeprefix("s3://").partition("/")
    client("s3").delete_object(Bucket=bucket, Key=key)


def stored_tiles(export: Submitted) -> list[dict[str, Any]]:
    tiles = Records(service().table).tiles(export.export_id, export.attempt)
    return [tile.model_dump(exclude={"at"}) for tile in tiles]


# The same as the command line ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "bands"),
    [({}, ("red", "green")), ({"profile": "jpeg"}, ("red", "green", "blue")), ({"dtype": "float32"}, ("blue",))],
    ids=["deflate", "jpeg with a mask", "floats"],
)
def test_the_cog_is_the_command_lines(
    aws_server: ServiceSettings, scene: Path, tmp_path: Path, output: dict[str, Any], bands: tuple[str, ...]
) -> None:
    export_ = submitted({"source": {"scenes": [put_scene(scene)]}, "aoi": AREA, "bands": bands, "output": output})
    made = export_.all()
    out = tmp_path / "out.tif"
    here = export(make_request(scene, bands=bands, aoi=AREA, **output), out, workers=1)
    content = content_of(made.cog_href)
    assert len(here.plan.tiles) > 2
    assert content == out.read_bytes()
    assert made.nbytes == len(content)
    result = export_.record.result
    assert result is not None and result.segments_sha256 == here.receipt.segments_sha256

    there, item = json.loads(content_of(made.item_href)), json.loads(out.with_suffix(".json").read_text())
    for one in (there, item):
        for time in ("created", "datetime"):  # of the scene nothing is known
            del one["properties"][time]
        one["links"].clear()
    del item["assets"]["data"]["file:checksum"]
    assert there == item
    (tmp_path / "out.json").write_bytes(content_of(made.item_href))
    assert not validate(out).faults


def test_nothing_but_nodata_is_a_cog_too(aws_server: ServiceSettings, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "a.tif", texture((1, 600, 600)) * 0, nodata=0)
    empty = submitted({"source": {"scenes": [put_scene(scene)]}})
    content = content_of(empty.all().cog_href)
    export(make_request(scene), tmp_path / "out.tif", workers=1)
    assert [tile["state"] for tile in stored_tiles(empty)] == ["empty"]
    assert content == (tmp_path / "out.tif").read_bytes()


# Done twice --------------------------------------------------------------------------------------------------------


def test_planned_twice_is_planned_once(body: dict[str, Any], tmp_path: Path) -> None:
    export_ = submitted(body)
    first, plan = export_.plan(), content_of(export_.plan().plan_href)
    another = write_scene(tmp_path / "a.tif", texture((3, 1300, 1400), seed=8), nodata=0)
    put_scene(another, body["source"]["scenes"][0].split("/")[-2])  # meanwhile
    assert export_.plan() == first
    assert content_of(first.plan_href) == plan
    month = client("dynamodb").get_item(
        TableName=service().table,
        Key=typed({"pk": f"QUOTA#{OWNER}#{export_.record.created_at:%Y%m}", "sk": "META"}),
    )
    assert month["Item"]["total"] == {"N": str(export_.record.pixels)}
    assert (export_.record.tiles, first.deliveries) == (first.tiles, ("link",))


def test_rendered_twice_is_rendered_once(body: dict[str, Any]) -> None:
    export_ = submitted(body)
    planned = export_.plan()
    for _ in range(2):
        assert export_.render(planned, 0, 1).done
        tiles, billed = stored_tiles(export_), export_.record.billed_ms
    assert [tile["state"] for tile in tiles] == ["done", "done"]
    assert not any(tile["reused"] for tile in tiles)
    assert 0 < billed == sum(tile["billed_ms"] for tile in tiles)


def test_assembled_twice_is_assembled_once(body: dict[str, Any]) -> None:
    export_ = submitted(body)
    first, result = export_.all(), export_.record.result
    kept = Bucket(service().exports_bucket).head(export_.cog_key)
    again = export_.assemble(export_.plan())
    after = Bucket(service().exports_bucket).head(export_.cog_key)
    assert (again, export_.record.result) == (first, result)
    assert kept is not None and after is not None and kept["LastModified"] == after["LastModified"]
    assert "Uploads" not in client("s3").list_multipart_uploads(Bucket=service().exports_bucket)


def test_a_process_that_lives_on_reads_what_is_there_now(aws_server: ServiceSettings, tmp_path: Path) -> None:
    """GDAL remembers objects by their names."""
    made = []
    for seed in (1, 2):
        href = put_scene(write_scene(tmp_path / "a.tif", texture((1, 600, 600), seed=seed)), "lives-on")
        made.append(content_of(submitted({"source": {"scenes": [href]}}).all().cog_href))
        export(make_request(tmp_path / "a.tif"), tmp_path / f"{seed}.tif", workers=1)
        assert made[-1] == (tmp_path / f"{seed}.tif").read_bytes()
    assert made[0] != made[1]


# Work done before --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("owner", "reused"), [(OWNER, True), ("owner-2", False)])
def test_an_owners_tiles_are_used_again(body: dict[str, Any], owner: str, reused: bool) -> None:
    submitted(body).all()
    other = submitted(body, owner=owner)
    other.all()
    tiles = stored_tiles(other)
    assert [tile["reused"] for tile in tiles] == [reused] * len(tiles)
    assert (other.record.billed_ms == 0) == reused


def test_a_segment_that_went_is_made_again(body: dict[str, Any]) -> None:
    first = submitted(body)
    first.all()
    lost = stored_tiles(first)[1]["key"]
    S3Workspace(service().work_bucket).remove(f"{lost}/0.segment")
    other = submitted(body)
    made = other.all()
    assert [tile["key"] for tile in stored_tiles(other) if not tile["reused"]] == [lost]
    assert content_of(made.cog_href) == content_of(f"s3://{service().exports_bucket}/{first.cog_key}")


def test_a_retry_goes_on_from_a_finished_cog(body: dict[str, Any]) -> None:
    export_ = submitted(body)
    made = export_.all()
    assert export_.plan().cog_href == made.cog_href
    bucket = service().exports_bucket
    client("s3").delete_object(Bucket=bucket, Key=export_.cog_key)
    assert export_.plan().cog_href is None
    assert export_.record.result is None


# Time and money ----------------------------------------------------------------------------------------------------


def test_what_there_is_no_time_for_is_left_to_the_next(body: dict[str, Any]) -> None:
    export_ = submitted(body)
    planned = export_.plan()
    given, enough, too_little = 100_000, 50_000, 30_000
    assert not export_.render(planned, 0, 1, 2, context=Context(given, enough, too_little)).done
    assert [tile["state"] for tile in stored_tiles(export_)] == ["done"]
    assert export_.render(planned, 0, 1, 2).done
    assert len(stored_tiles(export_)) == 3


def test_no_tile_begins_beyond_the_cost(body: dict[str, Any]) -> None:
    export_ = submitted({**body, "max_cost": 1e-9})
    planned = export_.plan()
    with pytest.raises(InvalidRequest) as failed:
        export_.render(planned, 0, 1)
    assert told(failed)["code"] == "too-large" and "max_cost" in told(failed)["message"]
    assert len(stored_tiles(export_)) == 1


# What ends an export -----------------------------------------------------------------------------------------------


def test_a_missing_tile_is_never_a_hole(body: dict[str, Any]) -> None:
    export_ = submitted(body)
    planned = export_.plan()
    assert planned.tiles > 2
    assert export_.render(planned, *range(planned.tiles - 1)).done
    with pytest.raises(Internal) as failed:
        export_.assemble(planned)
    assert told(failed)["code"] == "incomplete-export" and "has no receipt" in told(failed)["message"]
    assert Bucket(service().exports_bucket).size(export_.cog_key) is None


def test_a_segment_that_went_before_it_is_joined(body: dict[str, Any]) -> None:
    export_ = submitted(body)
    planned = export_.plan()
    export_.render(planned, *range(planned.tiles))
    S3Workspace(service().work_bucket).remove(f"{stored_tiles(export_)[0]['key']}/0.segment")
    with pytest.raises(Internal) as failed:
        export_.assemble(planned)
    assert told(failed)["code"] == "incomplete-export"
    assert "Uploads" not in client("s3").list_multipart_uploads(Bucket=service().exports_bucket)


def test_the_first_failure_is_the_exports(body: dict[str, Any]) -> None:
    """As RecordTileFailure writes it."""
    export_ = submitted(body)
    planned = export_.plan()
    remove(body["source"]["scenes"][0])
    with pytest.raises((TransientError, InvalidRequest)) as failed:
        export_.render(planned, 0)
    assert "tile (0, 0)" in told(failed)["message"]
    assert stored_tiles(export_)[0]["error"]["code"] == told(failed)["code"]
    _record_failure(export_, 0, failed.typename, str(failed.value))
    with pytest.raises(InternalError) as again:  # by now it is final, and assembling is not tried again for it
        export_.assemble(planned)
    assert told(again) == told(failed)


def test_a_source_that_is_back_is_read_again(body: dict[str, Any], scene: Path) -> None:
    href = body["source"]["scenes"][0]
    export_ = submitted(body)
    planned = export_.plan()
    assert export_.render(planned, 0).done
    remove(href)
    with pytest.raises((TransientError, InvalidRequest)):  # though it is open still
        export_.render(planned, 1)
    put_scene(scene, href.split("/")[-2])
    assert export_.render(planned, *range(planned.tiles)).done
    assert {tile["state"] for tile in stored_tiles(export_)} == {"done"}


def test_after_three_failures_the_rest_is_not_rendered(body: dict[str, Any]) -> None:
    export_ = submitted(body)
    planned = export_.plan()
    for tile in range(3):
        _record_failure(export_, tile, "InternalError", '{"code": "internal-error", "message": "x"}')
    assert export_.render(planned, 3).done
    assert stored_tiles(export_) == []


def test_a_file_of_an_export_that_is_deleted_meanwhile_is_removed(
    body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    export_ = submitted(body)
    planned = export_.plan()
    assert export_.render(planned, *range(planned.tiles)).done
    key, move = export_.cog_key, Records.move

    def delete_first(records: Records, *args: Any, **more: Any) -> Any:
        assert Bucket(service().exports_bucket).size(key), "it is finished"
        records.delete(export_.export_id)
        return move(records, *args, **more)

    monkeypatch.setattr(Records, "move", delete_first)
    with pytest.raises(NotFound):
        export_.assemble(planned)
    assert Bucket(service().exports_bucket).size(key) is None
    assert Bucket(service().exports_bucket).size(key.replace(".tif", ".json")) is None


def _record_failure(export_: Submitted, tile: int, error: str, message: str) -> None:
    cause = json.dumps({"errorType": error, "errorMessage": message})
    item = {
        "pk": f"EXPORT#{export_.export_id}", "sk": f"FAILURE#{export_.attempt}#{tile}", "attempt": export_.attempt,
        "error": json.dumps({"Error": error, "Cause": cause}), "tiles": f"[{tile}]", "at": "2026-11-21T00:00:00Z",
    }  # fmt: skip
    client("dynamodb").put_item(TableName=service().table, Item=typed(item))


@pytest.mark.parametrize("status", ["CANCELLED", "ERROR"])
def test_an_export_that_has_ended_is_left_alone(body: dict[str, Any], status: Status) -> None:
    export_ = submitted(body)
    planned = export_.plan()
    assert export_.render(planned, *range(planned.tiles)).done
    tiles = stored_tiles(export_)
    Records(service().table).move(export_.record, status)
    assert export_.render(planned, 0).done
    assert stored_tiles(export_) == tiles
    for step in (export_.plan, lambda: export_.assemble(planned)):
        with pytest.raises(Conflict):
            step()
    assert Bucket(service().exports_bucket).size(export_.cog_key) is None
