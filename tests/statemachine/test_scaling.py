"""docs/SCALING.md shows what the simulation says of the library as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import simulate_service

DOCUMENT = Path(__file__).parents[2] / "docs/SCALING.md"


def test_the_tables_are_those_of_the_simulation(capsys: pytest.CaptureFixture[str]) -> None:
    simulate_service.main()
    for table in capsys.readouterr().out.strip().split("\n\n"):
        assert table in DOCUMENT.read_text(), "run python -m benchmarks.simulate_service, and put its tables there"
