"""The API in this process: the real handler over moto's AWS, with a state machine whose executions only wait."""

from __future__ import annotations

import pytest

from cutline.settings import ServiceSettings
from tests.support.api import Call, call
from tests.support.destinations import place
from tests.support.exports import make_state_machine

__all__ = ["place"]


@pytest.fixture
def api(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> Call:
    make_state_machine(monkeypatch)
    return call
