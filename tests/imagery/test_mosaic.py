"""Order, interval, common bands; and what is written on a command line."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from cutline.errors import InvalidRequest, InvalidScene
from cutline.imagery import check_bands, common_bands, order_scenes, parse_mask_values, parse_scene, within
from cutline.models.request import MosaicRule, SceneRequest
from cutline.models.scene import Band, Scene

EMPTY = {"type": "Polygon", "coordinates": []}


def scene(name: str, day: int | None = None, cloud: float | None = None, bands: str = "red nir") -> Scene:
    return Scene(
        id=name,
        assets={},
        bands=tuple(Band(name=band, asset="image", index=1, dtype="uint8") for band in bands.split()),
        footprint=EMPTY,
        datetime=None if day is None else dt.datetime(2024, 6, day, 12, tzinfo=dt.UTC),
        cloud_cover=cloud,
    )


SCENES = (scene("a", 2, 50), scene("b", 3, 10), scene("c", 1, 10), scene("d", 2, 0))


@pytest.mark.parametrize(
    ("rule", "order"),
    [("first", "abcd"), ("newest", "badc"), ("oldest", "cadb"), ("least-cloud", "dbca"), ("mean", "abcd")],
)
def test_order(rule: MosaicRule, order: str) -> None:
    assert "".join(scene.id for scene in order_scenes(SCENES, rule)) == order


@pytest.mark.parametrize(("rule", "lacks"), [("newest", "datetime"), ("oldest", "datetime"), ("least-cloud", "cloud")])
def test_a_scene_that_lacks_what_is_sorted_by(rule: MosaicRule, lacks: str) -> None:
    with pytest.raises(InvalidRequest, match=f"scene x has no {lacks}") as caught:
        order_scenes([SCENES[0], scene("x")], rule)
    assert caught.value.pointer == "/mosaic"


@pytest.mark.parametrize(
    ("temporal", "chosen"),
    [
        (None, "abcd"),
        ((None, None), "abcd"),
        (("2024-06-02", None), "abd"),
        ((None, "2024-06-02T12:00:00Z"), "c"),
        (("2024-06-02T12:00:00Z", "2024-06-03T12:00:00Z"), "ad"),
        (("2024-06-02T14:00:00+02:00", "2024-06-02T12:00:01Z"), "ad"),
    ],
)
def test_within(temporal: Any, chosen: str) -> None:
    assert "".join(scene.id for scene in within(SCENES, temporal)) == chosen


@pytest.mark.parametrize(
    ("temporal", "cause"),
    [
        (("2025-01-01", None), "no scene lies between 2025-01-01 and …"),
        (("2024-06-03", "2024-06-02"), "ends"),
        (("June", None), "'June' is not a time"),
    ],
)
def test_intervals_that_cannot_be(temporal: Any, cause: str) -> None:
    with pytest.raises(InvalidRequest, match=cause):
        within(SCENES, temporal)
    with pytest.raises(InvalidRequest, match="scene x has no datetime"):
        within([scene("x")], ("2024-01-01", None))


def test_common_bands() -> None:
    scenes = [scene("a", bands="nir red blue"), scene("b", bands="red blue nir"), scene("c", bands="blue red")]
    assert common_bands(scenes) == ("red", "blue")
    with pytest.raises(InvalidScene, match=r"scene d has the bands b1, none of which.*--band-names") as caught:
        check_bands([*scenes, scene("d", bands="b1")])
    assert caught.value.pointer == "/source/scenes/3"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("east.tif", "east.tif"),
        ("./a=b,c.tif", "./a=b,c.tif"),
        ("s3://bucket/k=v/a,b.tif", "s3://bucket/k=v/a,b.tif"),
        ("https://host/a.tif?x=1,y=2", "https://host/a.tif?x=1,y=2"),
        ("red=B04.tif,nir=B08.tif", {"red": "B04.tif", "nir": "B08.tif"}),
        (
            "red=https://h/a.tif?sig=A=,b,exp=5,nir=s3://b/x=1/B08.tif",
            {"red": "https://h/a.tif?sig=A=,b,exp=5", "nir": "s3://b/x=1/B08.tif"},
        ),
        ("B8A=a,b.jp2,b_1=c.img", {"B8A": "a,b.jp2", "b_1": "c.img"}),
    ],
)
def test_scenes_on_the_command_line(text: str, expected: str | dict[str, str]) -> None:
    given = {"href": expected} if isinstance(expected, str) else {"assets": expected}
    assert parse_scene(text) == SceneRequest(**given)


@pytest.mark.parametrize("text", ["", " ", "red=a.tif,red=b.tif"])
def test_scenes_that_cannot_be(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_scene(text)


@pytest.mark.parametrize(
    ("text", "values", "bits"),
    [
        ("3,8-10", (3, 8, 9, 10), ()),
        (" 3, 3 ", (3,), ()),
        ("-5--3", (-5, -4, -3), ()),
        ("bits:3,4", (), (3, 4)),
    ],
)
def test_mask_values(text: str, values: tuple[int, ...], bits: tuple[int, ...]) -> None:
    assert parse_mask_values(text) == (values, bits)


@pytest.mark.parametrize("text", ["", "a", "3,", "9-3", "0-99999999999", "bits:32", "bits:-1", "bit:3"])
def test_mask_values_that_cannot_be(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_mask_values(text)
