"""What a restart keeps, and what an end leaves behind: nothing."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from local.server import bind
from tests.support.local import Running, eventually, make_area, service

COARSE, FINE = 24, 1.5
"""Units a pixel: rendered in a moment, and in seconds"""


def test_what_a_restart_keeps(scenes: Path, area: Any, tmp_path: Path) -> None:
    """A service is killed in the middle of an export, and the next one is interrupted in the middle of another."""
    words, tables = ("--data", tmp_path / "data", "--scenes", scenes), tmp_path / "data" / "tables.json"
    with service(*words) as first:
        done = first.submit(area, COARSE)
        assert first.ended(done)["status"] == "SUCCESS"
        cog = first.cog(done)
        half = first.submit(area, FINE)
        eventually(lambda: tables.exists() and half in tables.read_text(), what="the saved export")
        assert first.stop(signal.SIGKILL) == []

    with service(*words) as second:
        assert second.cog(done) == cog
        assert second.ended(half)["error"]["code"] == "aborted"
        with pytest.raises(AssertionError, match="in use by another"):
            Running(*words)
        assert second.post(f"/exports/{half}/retry").status_code == 202
        retried = second.ended(half)
        assert (retried["status"], len(second.cog(half))) == ("SUCCESS", retried["result"]["nbytes"])
        second.until(second.submit(make_area(tmp_path / "other.json", 200), FINE), "RENDERING")
        assert second.stop(signal.SIGINT) == []
        assert second.process.returncode == 0, second.said()
    assert tables.read_text().count('{"S": "SUCCESS"}') >= 2, "what an interrupted service knew is saved"


def test_only_this_machine_is_served() -> None:
    with pytest.raises(ValueError, match="from this machine only"):
        bind(0, "0.0.0.0")  # noqa: S104 – that is the question
