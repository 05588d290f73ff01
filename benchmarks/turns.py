"""Several exports, again and again, in turns: so that a slow minute of the machine hits all alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.engines import Run
from benchmarks.facts import now
from benchmarks.measure import Failed


@dataclass
class Figures:
    """All runs of one export."""

    at: str
    """Commit and day"""
    walls: list[float] = field(default_factory=list)
    """Seconds"""
    cpus: list[float] = field(default_factory=list)
    """Seconds"""
    peaks: list[int] = field(default_factory=list)
    """Bytes"""
    nbytes: int = 0
    """Of the file"""
    mean: float = 0.0
    report: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def wall(self) -> float:
        return median(self.walls)

    @property
    def cpu(self) -> float:
        return median(self.cpus)

    @property
    def peak_mb(self) -> float:
        return median(self.peaks) / 1e6

    def add(self, run: Run) -> None:
        self.walls.append(run.cost.wall)
        self.cpus.append(run.cost.cpu)
        self.peaks.append(run.cost.peak)
        self.nbytes, self.mean, self.report = run.nbytes, run.mean, run.report


def in_turns(runs: int, exports: Mapping[str, Callable[[], Run]]) -> dict[str, Figures]:
    """``runs`` runs of each. What fails is not tried again, and its figures are its error."""
    found = {name: Figures(now()) for name in exports}
    for _ in range(runs):
        for name, export in exports.items():
            figures = found[name]
            if figures.error:
                continue
            try:
                made = export()
            except (Failed, AssertionError) as error:
                found[name] = Figures(now(), error=str(error))
                print(f"  {name}: failed: {error}", flush=True)
                continue
            figures.add(made)
            cost = made.cost
            print(f"  {name}: {cost.wall:.1f} s, CPU {cost.cpu:.1f} s, {cost.peak / 1e6:.0f} MB", flush=True)
    return found
