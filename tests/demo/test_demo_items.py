"""The sample scenes' STAC items are valid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from affine import Affine

from demo.stac import SceneFacts, item
from tests.support.stac import assert_valid_item

SWATH = [(12.0, 48.0), (12.1, 48.0), (12.1, 48.1), (12.0, 48.1), (12.0, 48.0)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    transform = Affine(10, 0, 277150, 0, -10, 5373010)
    facts = SceneFacts("scene", "2025-06-22T10:06:31Z", 32633, transform, 512, SWATH, cloud_cover=9.5)
    path = tmp_path / "scene.json"
    path.write_text(json.dumps(item(facts, tmp_path / "scene.tif", tmp_path / "scene-scl.tif")))
    return path


def test_items_are_valid(path: Path) -> None:
    assert_valid_item(path)


def test_the_validator_would_say_so_if_they_were_not(path: Path) -> None:
    broken = json.loads(path.read_text())
    broken["bbox"] = ["west"]
    path.write_text(json.dumps(broken))
    with pytest.raises(AssertionError, match="bbox"):
        assert_valid_item(path)
