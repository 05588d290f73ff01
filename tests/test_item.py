"""The STAC item beside a COG: valid, true to the file, true to what it came from, and without anybody's secrets."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from blake3 import blake3

from cutline.export import Exported, export
from cutline.item import cog_item
from cutline.models.plan import ExportPlan
from cutline.models.receipt import BandStatistics, CogReceipt
from cutline.process import named_graph
from cutline.tags import tags_of
from tests.support.plans import header_scene, plan_of
from tests.support.scenes import make_request, read, texture, write_scene
from tests.support.stac import assert_valid_item

NO_CODE = "+proj=laea +lat_0=50.3 +lon_0=13.8 +ellps=GRS80 +units=m"


def plain(folder: Path) -> Any:
    scene = write_scene(folder / "rgb.tif", texture((3, 300, 280)))
    ring = shapely.Point(13.605, 50.53).buffer(0.008)
    return make_request(scene, aoi=shapely.geometry.mapping(shapely.MultiPolygon([ring])), profile="jpeg")


def ndvi(folder: Path) -> Any:
    return make_request(write_scene(folder / "s.tif", texture((4, 200, 200), "uint16")), process=named_graph("ndvi"))


def packed(folder: Path) -> Any:
    scene = write_scene(folder / "s.tif", texture((4, 200, 200), "uint16"))
    return make_request(scene, process=named_graph("ndvi"), dtype="int16", scale=1e-4, nodata=-32768.0)


def across(folder: Path) -> Any:
    scene = write_scene(
        folder / "s.tif", texture((1, 300, 300)), crs="EPSG:32660", transform=Affine(100, 0, 815000, 0, -100, 1115000)
    )
    area = [shapely.box(179.97, 9.9, 180, 10.0), shapely.box(-180, 9.9, -179.98, 10.0)]
    return make_request(scene, aoi=shapely.geometry.mapping(shapely.MultiPolygon(area)), crs="EPSG:3857")


def nameless_crs(folder: Path) -> Any:
    return make_request(write_scene(folder / "s.tif", texture((2, 100, 100))), crs=NO_CODE, resolution=12.0)


def three_dates(folder: Path) -> Any:
    scenes = []
    for day in (3, 17, 9):
        path = write_scene(folder / f"day-{day}.tif", texture((1, 100, 100), seed=day))
        with rasterio.open(path, "r+") as file:
            file.update_tags(TIFFTAG_DATETIME=f"2024:05:{day:02} 10:20:30")
        scenes.append(path)
    return make_request(*scenes, mosaic="median")


def oblong_pixels(folder: Path) -> Any:
    from cutline.imagery.like import grid_of

    transform = Affine(20, 0, 400000, 0, -10, 5600000)
    scene = write_scene(folder / "s.tif", texture((2, 100, 100), "float32"), transform=transform, names=("b", "c"))
    return make_request(scene, geobox=grid_of(str(scene)))


KINDS: dict[str, Callable[[Path], Any]] = {
    "RGB in bytes, masked": plain,
    "NDVI": ndvi,
    "packed": packed,
    "across the antimeridian": across,
    "a CRS without a code": nameless_crs,
    "several dates": three_dates,
    "oblong pixels": oblong_pixels,
}


class Made(NamedTuple):
    done: Exported
    out: Path
    item: dict[str, Any]

    @property
    def asset(self) -> dict[str, Any]:
        asset: dict[str, Any] = self.item["assets"]["data"]
        return asset


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    found = {}
    for name, request in KINDS.items():
        folder = tmp_path_factory.mktemp("item")
        out = folder / "out.tif"
        done = export(request(folder), out, workers=1)
        found[name] = Made(done, out, json.loads(done.item.read_text()))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_valid(made: dict[str, Made], kind: str) -> None:
    assert_valid_item(made[kind].done.item)


@pytest.mark.parametrize("kind", KINDS)
def test_it_tells_of_the_file(made: dict[str, Made], kind: str) -> None:
    content = made[kind].out.read_bytes()
    asset = made[kind].asset
    assert asset["href"] == "./out.tif"
    assert asset["file:size"] == len(content)
    # multihash: BLAKE3 is function 0x1e, 0x20 bytes
    assert asset["file:checksum"] == "1e20" + blake3(content).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_the_projection_is_the_files(made: dict[str, Made], kind: str) -> None:
    asset = made[kind].asset
    with rasterio.open(made[kind].out) as file:
        assert asset["proj:shape"] == list(file.shape)
        assert asset["proj:transform"] == pytest.approx(list(file.transform)[:6])
        assert asset["proj:bbox"] == pytest.approx(list(file.bounds))
        if asset["proj:code"]:
            assert file.crs == rasterio.CRS.from_user_input(asset["proj:code"])
        else:
            assert kind == "a CRS without a code"
            assert file.crs == rasterio.CRS.from_wkt(asset["proj:wkt2"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_bands_are_the_files(made: dict[str, Made], kind: str) -> None:
    values, valid = read(made[kind].out)
    with rasterio.open(made[kind].out) as file:
        told = made[kind].asset["bands"]
        assert [band["name"] for band in told] == list(file.descriptions)
        assert [band["data_type"] for band in told] == list(file.dtypes)
        assert [band.get("raster:scale", 1.0) for band in told] == list(file.scales)
        nodata = [band.get("nodata") for band in told]
    assert nodata == {"NDVI": ["nan"], "packed": [-32768], "oblong pixels": ["nan", "nan"]}.get(
        kind, [None] * len(told)
    )
    lossy = kind == "RGB in bytes, masked"
    for band, stored in zip(told, values, strict=True):
        known = stored[valid].astype(np.float64)
        statistics = band["statistics"]
        assert statistics["count"] == known.size
        assert statistics["valid_percent"] == pytest.approx(100 * known.size / stored.size)
        if lossy:
            assert statistics["mean"] == pytest.approx(known.mean(), rel=0.02)
            continue
        expected = [known.min(), known.max(), known.mean(), known.std()]
        found = [statistics[name] for name in ("minimum", "maximum", "mean", "stddev")]
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_every_scene_is_named(made: dict[str, Made], kind: str) -> None:
    links = [link for link in made[kind].item["links"] if link["rel"] == "derived_from"]
    scenes = made[kind].done.plan.scenes
    assert [link["title"] for link in links] == [scene.id for scene in scenes]
    assert [link["href"] for link in links] == [next(iter(scene.assets.values())).href for scene in scenes]


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_how_the_pixels_came_about(made: dict[str, Made], kind: str) -> None:
    properties = made[kind].item["properties"]
    graph = properties["processing:expression"]["expression"]
    assert {name: node["process_id"] for name, node in graph.items()} == {
        name: node.process_id for name, node in made[kind].done.plan.graph.items()
    }
    name, _, version = made[kind].done.plan.engine.partition(" ")
    assert properties["processing:software"] == {name: version}
    assert "PROJCRS" not in properties["processing:lineage"]


def test_times(made: dict[str, Made]) -> None:
    properties = made["several dates"].item["properties"]
    assert (properties["datetime"], properties["start_datetime"], properties["end_datetime"]) == (
        None, "2024-05-03T10:20:30Z", "2024-05-17T10:20:30Z",
    )  # fmt: skip
    properties = made["NDVI"].item["properties"]
    assert dt.datetime.fromisoformat(properties["datetime"]).tzinfo


def test_across_the_antimeridian_the_box_is_narrow(made: dict[str, Made]) -> None:
    """RFC 7946: west > east. And the simplified outline of so small an area is still its outline."""
    item = made["across the antimeridian"].item
    assert item["bbox"] == pytest.approx([179.97, 9.9, -179.98, 10.0], abs=1e-3)
    outline = shapely.geometry.shape(item["geometry"])
    assert outline.is_valid and outline.area == pytest.approx(0.005, rel=0.01)


def test_the_extensions_are_those_whose_fields_it_has(made: dict[str, Made]) -> None:
    for kind, each in made.items():
        names = {url.split("/")[3] for url in each.item["stac_extensions"]}
        fields = {key.partition(":")[0] for key in json.dumps(each.item).split('"') if ":" in key and "/" not in key}
        prefixes = {"projection" if field == "proj" else field for field in fields if field.isalpha()}
        assert names == prefixes & {"projection", "raster", "processing", "file", "eo"}, kind


# -- places and secrets ------------------------------------------------------------------------------------------

CANARY = "tweety-4711"


def receipt_of(plan: ExportPlan) -> CogReceipt:
    nothing = BandStatistics(count=0, minimum=0, maximum=0, mean=0, squares=0)
    return CogReceipt(
        href="out.tif", nbytes=1, checksum="1e20" + "0" * 64, crc64=0, shape=plan.geobox.shape, crs=plan.geobox.crs,
        sparse_tiles=0, transform=tuple(plan.geobox.transform)[:6], statistics=(nothing,) * len(plan.cog.bands),
        segments_sha256="0" * 64, percentiles=(None,) * len(plan.cog.bands),
    )  # fmt: skip


@pytest.mark.parametrize("place", ["href", "item_href"])
def test_signatures_stay_out(place: str) -> None:
    signed = f"https://x.org/a.tif?X-Amz-Signature={CANARY}&sig={CANARY}"
    plan = plan_of(header_scene(**{place: signed}))
    item = cog_item(plan, receipt_of(plan), "out", "out.tif")
    assert CANARY not in json.dumps(item) + json.dumps(tags_of(plan))
    assert item["links"][0]["href"] == "https://x.org/a.tif"


def test_the_file_says_nothing_of_its_place(tmp_path: Path) -> None:
    folder = tmp_path / CANARY
    folder.mkdir()
    out = tmp_path / "out.tif"
    export(make_request(write_scene(folder / "s.tif", texture((1, 60, 60)))), out, workers=1)
    assert CANARY.encode() not in out.read_bytes()
    with rasterio.open(out) as file:
        assert file.tags()["CUTLINE_SCENES"] == "s"


def test_no_data_no_statistics() -> None:
    plan = plan_of(header_scene())
    item = cog_item(plan, receipt_of(plan), "out", "data/out.tif")
    assert "statistics" not in item["assets"]["data"]["bands"][0]
    assert item["assets"]["data"]["href"] == "data/out.tif"
