"""What the local service is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.local import make_area, make_scene
from tests.support.scenes import texture, write_scene


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    make_scene(folder)
    write_scene(folder / "small.tif", texture((4, 120, 100), "uint16"))
    (folder / "large.bin").write_bytes(np.random.default_rng(5).bytes(12 * 2**20))
    return folder


@pytest.fixture
def area(tmp_path: Path) -> Any:
    return make_area(tmp_path / "aoi.json")
