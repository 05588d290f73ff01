"""One service, for all modules that do it no harm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.local import Running, make_area, make_scene, service


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    make_scene(folder)
    (folder / "large.bin").write_bytes(np.random.default_rng(5).bytes(12 * 2**20))
    return folder


@pytest.fixture(scope="package")
def running(scenes: Path) -> Iterator[Running]:
    with service("--scenes", scenes) as one:
        yield one


@pytest.fixture
def area(tmp_path: Path) -> Any:
    return make_area(tmp_path / "aoi.json")
