"""What computing costs beside copying."""

from __future__ import annotations

import functools
from dataclasses import asdict
from typing import Any

from benchmarks.cases import CUTLINE, job
from benchmarks.engines import run
from benchmarks.scenes import Scenes
from benchmarks.targets import Target, table
from benchmarks.turns import Figures, in_turns

COPY, INDEX = "red and nir, copied", "NDVI of them"
WANTED = 1.3


def measure(scenes: Scenes, runs: int, _engines: list[str]) -> dict[str, Any]:
    """What -> figures."""
    jobs = {COPY: job(scenes, ("red", "nir")), INDEX: job(scenes, ("ndvi",), process="ndvi", dtype="float32")}
    print("\nNDVI", flush=True)
    found = in_turns(runs, {what: functools.partial(run, CUTLINE, work) for what, work in jobs.items()})
    return {what: asdict(figures) for what, figures in found.items()}


def targets(result: dict[str, Any]) -> list[Target]:
    """The ratio of wall times."""
    copy, index = (Figures(**result[what]) for what in (COPY, INDEX))
    ratio = None if copy.error or index.error else index.wall / copy.wall
    return [Target("NDVI: time against copying its bands", ratio, WANTED, at_least=False)]


def text(result: dict[str, Any]) -> str:
    """Both rows."""
    rows = []
    for what, plain in result.items():
        found = Figures(**plain)
        cells = ["failed", "", "", ""]
        if found.walls:
            cells = [f"{found.wall:.1f}", f"{found.cpu:.1f}", f"{found.peak_mb:,.0f}", f"{found.nbytes / 1e6:,.1f}"]
        rows.append([what, *cells])
    return "From u16 × 4, bilinear, DEFLATE-1 at 10 m; the index is float32.\n\n" + table(
        ("what", "wall s", "CPU s", "peak MB", "output MB"), rows
    )
