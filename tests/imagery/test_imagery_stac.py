"""STAC items: which assets are data, what their bands are called, and whom to believe about scale and offset."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasters import make_raster, masked, only, stack
from website import Site

from cutline.errors import CutlineError, InvalidRequest, InvalidScene
from cutline.imagery.stac import choose_bands, parse_item
from cutline.models.scene import Mask

TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def item(assets: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": ["https://stac-extensions.github.io/eo/v1.1.0/schema.json"],
        "id": "S2A_33UVR_20240601",
        "geometry": None,
        "links": [],
        "properties": {"datetime": "2024-06-01T10:00:31Z", **properties},
        "assets": assets,
    }


def written(folder: Path, assets: dict[str, Any], **properties: Any) -> Path:
    path = folder / "item.json"
    path.write_text(json.dumps(item(assets, **properties)))
    return path


def names(assets: dict[str, Any]) -> list[tuple[str, str]]:
    return [(band.name, band.asset) for band in choose_bands(parse_item(json.dumps(item(assets)).encode()))]


def eo(*bands: str | tuple[str, str]) -> list[dict[str, str]]:
    pairs = [(band, band) if isinstance(band, str) else band for band in bands]
    return [{"name": name, "common_name": common} for name, common in pairs]


def test_sentinel_2_with_its_offset(tmp_path: Path) -> None:
    """Processing baseline 4 moved all values by 1000; the item says so, the files do not."""
    for name in ("B04", "B08"):
        make_raster(tmp_path / f"{name}.tif", nodata=0)
    raster = [{"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}]
    assets = {
        "red": {"href": "./B04.tif", "type": TIFF, "roles": ["data"], "eo:bands": eo(("B04", "red")),
                "raster:bands": raster},
        "nir": {"href": "B08.tif", "type": TIFF, "roles": ["data"], "eo:bands": eo(("B08", "nir")),
                "raster:bands": raster},
        "thumbnail": {"href": "https://example.com/t.jpg", "type": "image/jpeg", "roles": ["thumbnail"]},
        "overview": {"href": "missing.tif", "type": TIFF, "roles": ["overview"], "eo:bands": eo("red", "nir")},
        "metadata": {"href": "m.xml", "type": "application/xml", "roles": ["metadata"]},
    }  # fmt: skip
    scene = only(written(tmp_path, assets, **{"eo:cloud_cover": 12.5, "unknown:field": {"a": 1}}))
    assert scene.id == "S2A_33UVR_20240601"
    assert scene.item_href == str(tmp_path / "item.json")
    assert scene.datetime == dt.datetime(2024, 6, 1, 10, 0, 31, tzinfo=dt.UTC)
    assert scene.cloud_cover == 12.5
    assert [(band.name, band.asset, band.scale, band.offset) for band in scene.bands] == [
        ("red", "red", 0.0001, -0.1),
        ("nir", "nir", 0.0001, -0.1),
    ]
    assert set(scene.assets) == {"red", "nir"}


def test_stac_1_1(tmp_path: Path) -> None:
    make_raster(tmp_path / "a.tif", pixels=stack(2, "uint16"))
    assets = {
        "image": {
            "href": "a.tif",
            "type": TIFF,
            "roles": ["data"],
            "nodata": 0,
            "raster:scale": 0.001,
            "bands": [
                {"name": "B3", "eo:common_name": "red", "eo:center_wavelength": 0.665},
                {"name": "B4", "eo:common_name": "nir", "raster:scale": 0.002, "raster:offset": 5},
            ],
        }
    }
    scene = only(written(tmp_path, assets))
    assert [(band.name, band.scale, band.offset, band.wavelength) for band in scene.bands] == [
        ("red", 0.001, 0.0, 0.665),
        ("nir", 0.002, 5.0, None),
    ]
    assert (scene.assets["image"].validity, scene.assets["image"].nodata) == ("nodata", 0.0)


def test_the_file_knows_its_own_nodata_place_and_shape(tmp_path: Path) -> None:
    make_raster(tmp_path / "a.tif", nodata=7)
    lies = {"proj:transform": [1, 0, 0, 0, -1, 0], "proj:shape": [1, 1], "raster:bands": [{"nodata": 0}]}
    asset = only(written(tmp_path, {"a": {"href": "a.tif", "type": TIFF, **lies}}, **{"proj:epsg": 4326})).assets["a"]
    assert (asset.nodata, asset.shape, asset.crs) == (7.0, (40, 60), "EPSG:32633")


def test_scale_and_offset_of_the_file_where_the_item_is_silent(tmp_path: Path) -> None:
    make_raster(tmp_path / "a.tif", scales=(0.5,), offsets=(3.0,))
    (band,) = only(written(tmp_path, {"a": {"href": "a.tif", "type": TIFF}})).bands
    assert (band.name, band.scale, band.offset) == ("a", 0.5, 3.0)


def test_nan_nodata_in_json(tmp_path: Path) -> None:
    make_raster(tmp_path / "a.tif", pixels=stack(1, "float32"))
    scene = only(written(tmp_path, {"a": {"href": "a.tif", "type": TIFF, "raster:bands": [{"nodata": "nan"}]}}))
    assert str(scene.assets["a"].nodata) == "nan"


# --- which assets, which names


def test_the_same_band_as_cog_as_jpeg2000_and_in_a_picture() -> None:
    """As in Element 84's Earth Search."""
    assets = {
        "visual": {"href": "TCI.tif", "type": TIFF, "roles": ["visual"], "eo:bands": eo("red", "green", "blue")},
        "red-jp2": {"href": "B04.jp2", "type": "image/jp2", "roles": ["data"], "eo:bands": eo("red")},
        "red": {"href": "B04.tif", "type": TIFF, "roles": ["data"], "eo:bands": eo("red")},
        "green": {"href": "B03.tif", "type": TIFF, "roles": ["data"], "eo:bands": eo("green")},
        "blue": {"href": "B02.tif", "type": TIFF, "roles": ["data"], "eo:bands": eo("blue")},
        "scl": {"href": "SCL.tif", "type": TIFF, "roles": ["data"], "raster:bands": [{"nodata": 0}]},
    }
    assert names(assets) == [("red", "red"), ("green", "green"), ("blue", "blue"), ("scl", "scl")]


def test_three_red_edges_go_by_their_own_names() -> None:
    """As in the Planetary Computer, where the picture also claims to be data."""
    assets = {
        "B05": {"href": "B05.tif", "type": TIFF, "roles": ["data"], "eo:bands": eo(("B05", "rededge"))},
        "B06": {"href": "B06.tif", "type": TIFF, "roles": ["data"], "eo:bands": eo(("B06", "rededge"))},
        "B04": {"href": "B04.tif", "type": TIFF, "roles": ["data"], "eo:bands": eo(("B04", "red"))},
        "visual": {"href": "v.tif", "type": TIFF, "roles": ["data"], "eo:bands": eo(("B04", "red"), ("B03", "green"))},
    }
    assert names(assets) == [("B05", "B05"), ("B06", "B06"), ("red", "B04"), ("green", "visual")]


def test_quality_masks_are_not_bands_unless_they_say_data() -> None:
    assets = {
        "red": {"href": "r.tif", "type": TIFF, "roles": ["data", "reflectance"], "eo:bands": eo("red")},
        "qa_pixel": {"href": "qa.tif", "type": TIFF, "roles": ["cloud", "cloud-shadow"], "raster:bands": [{}]},
    }
    assert names(assets) == [("red", "red")]


def test_a_file_whose_bands_the_item_does_not_list(tmp_path: Path) -> None:
    make_raster(tmp_path / "a.tif", pixels=stack(3), colors=("red", "green", "blue"))
    scene = only(written(tmp_path, {"image": {"href": "a.tif", "roles": ["data"], "raster:scale": 0.5}}))
    assert [(band.name, band.index, band.scale) for band in scene.bands] == [
        ("red", 1, 0.5), ("green", 2, 0.5), ("blue", 3, 0.5),
    ]  # fmt: skip


def test_names_given_by_the_user(tmp_path: Path) -> None:
    make_raster(tmp_path / "a.tif", pixels=stack(2))
    path = written(tmp_path, {"image": {"href": "a.tif", "type": TIFF, "eo:bands": eo("red", "nir")}})
    assert [band.name for band in only(path, band_names=("x", "y")).bands] == ["x", "y"]
    with pytest.raises(InvalidScene, match="2 bands, but 1 names"):
        only(path, band_names=("x",))


# --- masks


@pytest.fixture
def landsat(tmp_path: Path) -> Path:
    make_raster(tmp_path / "red.tif")
    make_raster(tmp_path / "qa.tif")
    assets = {
        "red": {"href": "red.tif", "type": TIFF, "roles": ["data"], "eo:bands": eo("red")},
        "qa_pixel": {"href": "qa.tif", "type": TIFF, "roles": ["cloud"]},
    }
    return written(tmp_path, assets)


def test_a_mask_asset(landsat: Path) -> None:
    scene = only(landsat, mask=masked("qa_pixel", bits=(3, 4)))
    assert scene.mask == Mask(asset="qa_pixel", bits=(3, 4))
    assert [band.name for band in scene.bands] == ["red"]
    assert set(scene.assets) == {"red", "qa_pixel"}


def test_a_mask_among_files(tmp_path: Path) -> None:
    files = {"red": make_raster(tmp_path / "r.tif"), "mask": make_raster(tmp_path / "qa.tif")}
    scene = only(files, mask=masked("mask", 1, 2))
    assert scene.mask == Mask(asset="mask", values=(1, 2))
    assert [band.name for band in scene.bands] == ["red"]


def test_a_mask_that_is_a_band_of_the_file(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", pixels=stack(3))
    scene = only(path, band_names=("red", "nir", "cloud"), mask=masked("cloud", 1))
    assert scene.mask == Mask(asset="image", index=3, values=(1,))
    assert [band.name for band in scene.bands] == ["red", "nir"]


@pytest.mark.parametrize(
    ("mask", "family", "cause"),
    [
        (masked("scl", 3), InvalidScene, "it has no mask scl; it has red, qa_pixel"),
        (masked("qa_pixel"), InvalidRequest, "a mask needs the values, or the bits"),
        (masked("qa_pixel", bits=(16,)), InvalidScene, "uint16 and has no bit 16"),
    ],
)
def test_masks_that_cannot_be(landsat: Path, mask: Any, family: type[CutlineError], cause: str) -> None:
    with pytest.raises(family, match=cause) as caught:
        only(landsat, mask=mask)
    assert "item.json" in caught.value.message


def test_a_mask_of_fractions_or_alone(tmp_path: Path) -> None:
    files = {
        "red": make_raster(tmp_path / "r.tif"),
        "mask": make_raster(tmp_path / "m.tif", pixels=np.ones((1, 40, 60), np.float32)),
    }
    with pytest.raises(InvalidScene, match="holds float32, not whole numbers"):
        only(files, mask=masked("mask", 1))
    with pytest.raises(InvalidScene, match="no band but its mask"):
        only({"red": files["red"]}, mask=masked("red", 1))


# --- refusals


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("{", "not a STAC item"),
        ("[]", "not a STAC item"),
        ('{"type": "FeatureCollection", "features": []}', "STAC FeatureCollection; name one item"),
        ('{"type": "Collection", "id": "x"}', "STAC Collection; name one item"),
        ('{"type": "Feature", "id": "x", "assets": {}}', "properties: Field required"),
        (json.dumps(item({})), "no raster asset with data; its assets: none"),
        (json.dumps(item({"t": {"href": "t.png", "type": "image/png"}})), r"its assets: t \(image/png\)"),
        (json.dumps({**item({"a": {"href": "a.tif"}}), "id": "/vsicurl/x"}), "cannot be a scene's id"),
        (json.dumps(item({"a": {"href": "/vsicurl/http://h/a.tif", "type": TIFF}})), "virtual files"),
        (json.dumps(item({"a": {"href": "<VRTDataset/>", "type": TIFF}})), "not the name of a file"),
        (json.dumps(item({"a": {"href": "a.tif", "eo:bands": eo("red", "nir")}})), "lists 2 bands for a, but"),
        (json.dumps(item({"a": {"href": "a.tif", "eo:bands": eo("red"), "raster:bands": [{}, {}]}})), "differ in nu"),
    ],
)  # fmt: skip
def test_items_that_cannot_be(tmp_path: Path, content: str, cause: str) -> None:
    make_raster(tmp_path / "a.tif")
    (tmp_path / "item.json").write_text(content)
    with pytest.raises(InvalidScene, match=cause):
        only(tmp_path / "item.json")


def test_an_item_is_read_to_its_limit_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutline.imagery.scenes.MAX_ITEM_BYTES", 1000)
    (tmp_path / "item.json").write_text(json.dumps(item({"a": {"href": "x" * 2000}})))
    with pytest.raises(CutlineError, match="longer than the 1,000 bytes"):
        only(tmp_path / "item.json")


# --- from far away


def test_relative_assets_of_a_remote_item(site: Site, bucket: Any, tmp_path: Path) -> None:
    content = make_raster(tmp_path / "a.tif").read_bytes()
    document = json.dumps(item({"a": {"href": "../tiff/a.tif", "type": TIFF}})).encode()
    site.files |= {"tiff/a.tif": content, "items/item": document}
    bucket.put_object(Key="deep/tiff/a.tif", Body=content)
    bucket.put_object(Key="deep/items/item.json", Body=document)
    # The first has no suffix, as items of a STAC API have none.
    assert only(f"{site.url}/items/item").assets["a"].href == f"{site.url}/tiff/a.tif"
    assert only("s3://scenes/deep/items/item.json").assets["a"].href == "s3://scenes/deep/tiff/a.tif"


@pytest.mark.parametrize("href", ["/etc/passwd.tif", "file:///etc/passwd.tif"])
def test_a_remote_item_names_no_local_file(site: Site, href: str) -> None:
    site.files["item.json"] = json.dumps(item({"a": {"href": href, "type": TIFF}})).encode()
    with pytest.raises(InvalidScene, match="cannot name a file of this machine"):
        only(f"{site.url}/item.json")
