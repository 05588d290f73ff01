"""One worker, two workers: a whole export of many tiles."""

from __future__ import annotations

import functools
from dataclasses import asdict
from typing import Any

from benchmarks.cases import CUTLINE, RGB, job
from benchmarks.engines import run
from benchmarks.scenes import Scenes
from benchmarks.targets import Target, table
from benchmarks.turns import Figures, in_turns

RESOLUTION = 4.0
WORKERS = (1, 2)
WANTED = 1.85


def measure(scenes: Scenes, runs: int, _engines: list[str]) -> dict[str, Any]:
    """Workers -> figures."""
    work = job(scenes, RGB, resolution=RESOLUTION, level=6)
    exports = {str(count): functools.partial(run, CUTLINE, work, "--workers", str(count)) for count in WORKERS}
    print("\nscaling, by workers", flush=True)
    return {count: asdict(figures) for count, figures in in_turns(runs, exports).items()}


def targets(result: dict[str, Any]) -> list[Target]:
    """The ratio of wall times."""
    one, two = (Figures(**result[str(count)]) for count in WORKERS)
    ratio = None if one.error or two.error else one.wall / two.wall
    return [Target("two workers: faster than one", ratio, WANTED, at_least=True)]


def text(result: dict[str, Any]) -> str:
    """What ran, and a row for each number of workers."""
    rows = []
    for count, plain in result.items():
        found = Figures(**plain)
        cells = (
            [f"{found.wall:.1f}", f"{found.cpu:.1f}", f"{found.peak_mb:,.0f}"] if found.walls else ["failed", "", ""]
        )
        rows.append([count, *cells])
    known: dict[str, Any] = next((plain["report"] for plain in result.values() if plain["report"]), {})
    tiles = f"{known.get('tiles', '?')} tiles of {known.get('tile_edge', '?')}²"
    what = f"u8 × 3, bilinear, DEFLATE-6 at {RESOLUTION:g} m: {tiles}. The wall time is that of the whole command."
    return f"{what}\n\n" + table(("workers", "wall s", "CPU s", "peak MB"), rows)
