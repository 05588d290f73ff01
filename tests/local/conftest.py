"""One service, for all modules that do it no harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.local import Running, make_area, make_scene


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    make_scene(folder)
    (folder / "large.bin").write_bytes(np.random.default_rng(5).bytes(12 * 2**20))
    return folder


class Shared:
    """A service that goes on from one module to the next."""

    running: Running | None = None


@pytest.fixture(scope="module")
def running(scenes: Path) -> Running:
    if Shared.running is None:
        Shared.running = Running("--scenes", scenes)
    return Shared.running


@pytest.hookimpl(trylast=True)  # fixtures may still want it
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After the last test of this folder it would be idle beside all others."""
    if Shared.running and (nextitem is None or nextitem.path.parent != item.path.parent):
        Shared.running.close()
        Shared.running = None


@pytest.fixture
def area(tmp_path: Path) -> Any:
    return make_area(tmp_path / "aoi.json")
