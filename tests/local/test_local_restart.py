"""What a restart keeps, and what an end leaves behind: nothing."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from local.server import bind
from tests.support.local import Running, eventually, service


def test_what_is_kept_and_what_can_be_retried(scenes: Path, area: Any, tmp_path: Path) -> None:
    """A service is stopped in the middle of an export, the next is killed, and the third still has all."""
    words = ("--data", tmp_path / "data", "--scenes", scenes)
    with service(*words) as first:
        done = first.submit(area, 24)
        assert first.ended(done)["status"] == "SUCCESS"
        cog = first.cog(done)
        half = first.submit(area, 1.25)
        first.until(half, "RENDERING")
        assert first.stop(signal.SIGINT) == []
        assert first.process.returncode == 0, first.said()

    with service(*words) as second:
        assert second.cog(done) == cog
        assert second.ended(half)["error"]["code"] == "aborted"
        with pytest.raises(AssertionError, match="in use by another"):
            Running(*words)
        assert second.post(f"/exports/{half}/retry").status_code == 202
        assert second.ended(half)["status"] == "SUCCESS"
        tables = tmp_path / "data" / "tables.json"
        eventually(lambda: tables.read_text().count('{"S": "SUCCESS"}') == 2, what="a saved success")
        assert second.stop(signal.SIGKILL) == []

    with service(*words) as third:
        assert third.cog(done) == cog
        assert len(third.cog(half)) == third.view(half)["result"]["nbytes"]


def test_only_this_machine_is_served() -> None:
    with pytest.raises(ValueError, match="from this machine only"):
        bind(0, "0.0.0.0")  # noqa: S104 – that is the question
