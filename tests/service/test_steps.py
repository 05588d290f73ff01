"""Plan, RenderTile and Assemble through their handlers, against S3 and DynamoDB on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutline.export import export
from cutline.settings import ServiceSettings
from tests.support.plans import area_of
from tests.support.scenes import make_request, texture, write_scene
from tests.support.steps import content_of, put_scene, submitted


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough for several tiles and a level above them."""
    return write_scene(tmp_path_factory.mktemp("scenes") / "a.tif", texture((3, 2100, 2300)))


AREA = area_of(401000, 5580500, 421500, 5598800)


def test_the_cog_is_the_command_lines(aws_server: ServiceSettings, scene: Path, tmp_path: Path) -> None:
    href = put_scene(scene)
    made = submitted({"source": {"scenes": [href]}, "aoi": AREA, "bands": ["red", "green"]}).all()
    here = export(make_request(scene, bands=("red", "green"), aoi=AREA), tmp_path / "out.tif", workers=1)
    content = content_of(made.cog_href)
    assert len(here.plan.tiles) > 2
    assert content == (tmp_path / "out.tif").read_bytes()
    assert made.nbytes == len(content)
