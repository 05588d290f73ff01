"""One service, for all modules that do it no harm. tests/conftest.py keeps them together."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import home
from tests.support.local import Running

__all__ = ["home"]


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
