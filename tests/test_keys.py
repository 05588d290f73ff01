"""A tile's key changes with whatever decides its bytes, and with nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from affine import Affine

from cutline.models.plan import ExportPlan
from cutline.models.scene import Band, Mask, Scene, Stretch
from cutline.plan import make_plan
from cutline.process import named_graph
from tests.support.plans import area_of, header_asset, header_scene, plan_of
from tests.support.scenes import UTM33, make_request

# 10 km squares at 10 m: tiles of 5.12 km. The area is well inside the four tiles in the north-west.
AREA = area_of(400100, 5590100, 409900, 5599900)
OVERLAPPING = Affine(10, 0, 402000, 0, -10, 5598000)


def scenes() -> list[Scene]:
    return [header_scene("a", nodata=0, validity="nodata"), header_scene("b", transform=OVERLAPPING)]


def keys(*given: Scene, **request: Any) -> dict[tuple[int, int], str]:
    """The keys by position on the lattice, so that plans of different areas can be compared."""
    plan = plan_of(*(given or scenes()), edge=512, **{"aoi": AREA, "resolution": 10.0, **request})
    return by_place(plan)


def by_place(plan: ExportPlan) -> dict[tuple[int, int], str]:
    return {(plan.geobox.row + 512 * tile.row, plan.geobox.col + 512 * tile.col): tile.key for tile in plan.tiles}


def changed(scene: Scene, **fields: Any) -> Scene:
    """The scene with other fields of its asset (``asset_…``), of its bands (``band_…``) or its own."""
    of_asset = {name.removeprefix("asset_"): value for name, value in fields.items() if name.startswith("asset_")}
    of_band = {name.removeprefix("band_"): value for name, value in fields.items() if name.startswith("band_")}
    own = {name: value for name, value in fields.items() if not name.startswith(("asset_", "band_"))}
    assets = {key: asset.model_copy(update=of_asset) for key, asset in scene.assets.items()}
    bands = tuple(band.model_copy(update=of_band) for band in scene.bands)
    return scene.model_copy(update={"assets": assets, "bands": bands, **own})


SHIFTED = tuple(UTM33 @ Affine.translation(1e-3, 0))[:6]
EXTRA = Band(name="extra", asset="image", index=1, dtype="uint16")
UNKNOWN = header_asset(href="/extra.tif", identity=None)


def turned_round(band: Band) -> Band:
    return band.model_copy(update={"index": 5 - band.index})


DECIDES: dict[str, Callable[[list[Scene]], dict[tuple[int, int], str]]] = {
    "the content of a file": lambda s: keys(changed(s[0], asset_identity="2"), s[1]),
    "which file": lambda s: keys(changed(s[0], asset_href="/elsewhere.tif"), s[1]),
    "where a file lies": lambda s: keys(changed(s[0], asset_transform=SHIFTED), s[1]),
    "its nodata": lambda s: keys(changed(s[0], asset_nodata=7), s[1]),
    "its overviews": lambda s: keys(changed(s[0], asset_overviews=(2, 4)), s[1]),
    "a band's place": lambda s: keys(changed(s[0], bands=tuple(map(turned_round, s[0].bands))), s[1]),
    "scale": lambda s: keys(changed(s[0], band_scale=0.5), changed(s[1], band_scale=0.5)),
    "stretch": lambda s: keys(changed(s[0], band_stretch=Stretch(low=0, high=1)), s[1]),
    "another stretch": lambda s: keys(changed(s[0], band_stretch=Stretch(low=0, high=2)), s[1]),
    "a mask": lambda s: keys(changed(s[0], mask=Mask(asset="image", values=(3,))), s[1]),
    "its values": lambda s: keys(changed(s[0], mask=Mask(asset="image", values=(3, 8))), s[1]),
    "its bits": lambda s: keys(changed(s[0], mask=Mask(asset="image", bits=(3,))), s[1]),
    "its band": lambda s: keys(changed(s[0], mask=Mask(asset="image", index=2, values=(3,))), s[1]),
    "the order of scenes": lambda s: keys(s[1], s[0]),
    "one scene less": lambda s: keys(s[0]),
    "bands": lambda s: keys(*s, bands=("red",)),
    "the order of bands": lambda s: keys(*s, bands=("blue", "green", "red", "nir")),
    "the graph": lambda s: keys(*s, process=named_graph("ndvi")),
    "another graph": lambda s: keys(*s, process=named_graph("ndwi")),
    "the mosaic": lambda s: keys(*s, mosaic="mean"),
    "another mosaic": lambda s: keys(*s, mosaic="median"),
    "resampling": lambda s: keys(*s, resampling="cubic"),
    "dtype": lambda s: keys(*s, dtype="int32"),
    "packing": lambda s: keys(*s, dtype="int32", scale=2.0),
    "nodata": lambda s: keys(*s, nodata=0.0),
    "profile": lambda s: keys(*s, profile="zstd"),
    "another profile": lambda s: keys(*s, profile="none"),
    "level": lambda s: keys(*s, level=6),
    "another level": lambda s: keys(*s, level=7),
}  # fmt: skip


@pytest.fixture(scope="module")
def before() -> dict[tuple[int, int], str]:
    return keys()


def test_every_tile_has_a_key_of_its_own(before: dict[tuple[int, int], str]) -> None:
    assert len(before) == len(set(before.values())) >= 4
    assert before == keys()


@pytest.mark.parametrize("name", DECIDES)
def test_what_decides_a_tile(before: dict[tuple[int, int], str], name: str) -> None:
    after = DECIDES[name](scenes())
    # The first tile lies under both scenes.
    assert after.keys() == before.keys()
    place = sorted(before)[0]
    assert after[place] != before[place]


def test_all_of_these_differ_from_each_other() -> None:
    place = sorted(keys())[0]
    found = [decide(scenes())[place] for decide in DECIDES.values()]
    assert len(set(found)) == len(found)


def test_the_engine_and_the_libraries(before: dict[tuple[int, int], str], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("cutline.plan.ENGINE", "cutline 99")
        assert not set(keys().values()) & set(before.values())
    with monkeypatch.context() as patch:
        patch.setattr("cutline.plan_keys._LOCK", {"rasterio": "99"})
        assert not set(keys().values()) & set(before.values())


def test_the_size_of_a_tile() -> None:
    small, large = (set(by_place(plan_of(*scenes(), edge=edge, aoi=AREA)).values()) for edge in (512, 1024))
    assert not small & large


LEAVES: dict[str, Callable[[list[Scene]], dict[tuple[int, int], str]]] = {
    "the scene's name": lambda s: keys(changed(s[0], id="another"), s[1]),
    "its time": lambda s: keys(changed(s[0], datetime=dt.datetime(2024, 5, 1, tzinfo=dt.UTC)), s[1]),
    "its clouds": lambda s: keys(changed(s[0], cloud_cover=12.0), s[1]),
    "its item": lambda s: keys(changed(s[0], item_href="https://x.org/item.json"), s[1]),
    "bands that are not read": lambda s: keys(changed(s[0], bands=(*s[0].bands, EXTRA)), s[1]),
    "files that are not read": lambda s: keys(changed(s[0], assets={**s[0].assets, "extra": UNKNOWN}), s[1]),
    "a rule that orders alike": lambda s: keys(*(changed(each, cloud_cover=7.0) for each in s), mosaic="least-cloud"),
    "what is the default": lambda s: keys(*s, crs="EPSG:32633", resampling="bilinear", profile="deflate"),
    "a scene elsewhere": lambda s: keys(*s, header_scene("c", transform=Affine(10, 0, 430000, 0, -10, 5600000))),
}  # fmt: skip


@pytest.mark.parametrize("name", LEAVES)
def test_what_leaves_a_tile_as_it_is(before: dict[tuple[int, int], str], name: str) -> None:
    assert LEAVES[name](scenes()) == before


def test_owners_share_no_tiles() -> None:
    plans = {owner: by_place(make_plan(make_request("unused"), scenes(), edge=512, owner=owner)) for owner in "ab"}
    without = by_place(make_plan(make_request("unused"), scenes(), edge=512))
    assert not set(plans["a"].values()) & set(plans["b"].values())
    assert not set(plans["a"].values()) & set(without.values())
    assert without == by_place(make_plan(make_request("unused"), scenes(), edge=512, owner=""))


def test_the_cutline_counts_where_it_passes_through_the_tile() -> None:
    """A grid that is given keeps the tiles where they are."""
    given = plan_of(*scenes(), aoi=AREA).geobox
    whole = keys(geobox=given, resolution=None)
    less = keys(geobox=given, resolution=None, aoi=smaller(409000))
    assert less.keys() == whole.keys()
    east = max(col for _, col in whole)
    assert {place for place in whole if whole[place] != less[place]} == {place for place in whole if place[1] == east}


def smaller(right: float) -> dict[str, Any]:
    return area_of(400100, 5590100, right, 5599900)


def test_a_change_of_the_area_below_a_pixel_changes_nothing() -> None:
    given = plan_of(*scenes(), aoi=AREA).geobox
    assert keys(geobox=given, resolution=None) == keys(geobox=given, resolution=None, aoi=smaller(409899.5))


def test_a_scene_counts_only_in_the_tiles_it_touches() -> None:
    third = header_scene("c", transform=Affine(10, 0, 408000, 0, -10, 5600000))
    before, after = keys(), keys(*scenes(), third)
    east = max(col for _, col in before)
    assert {place for place in before if before[place] != after[place]} == {p for p in before if p[1] == east}
    again = keys(*scenes(), changed(third, asset_identity="9"))
    assert {place for place in before if again[place] != after[place]} == {p for p in before if p[1] == east}


def test_what_has_no_identity_is_never_used_again() -> None:
    unknown = changed(scenes()[0], asset_identity=None)
    one, other = keys(unknown), keys(unknown)
    assert one.keys() == other.keys()
    assert not set(one.values()) & set(other.values())
    # But where such a scene does not reach, nothing is lost.
    third = changed(header_scene("c", transform=Affine(10, 0, 408000, 0, -10, 5600000)), asset_identity=None)
    kept = set(keys(*scenes(), third).values()) & set(keys().values())
    assert kept
