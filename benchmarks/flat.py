"""Whether a pixel of a large export costs what one of a small export does."""

from __future__ import annotations

import functools
from dataclasses import asdict
from typing import Any

from benchmarks.cases import CUTLINE, RGB, job
from benchmarks.engines import run
from benchmarks.scenes import Scenes
from benchmarks.targets import Target, table
from benchmarks.turns import Figures, in_turns

RESOLUTION = 2.0
SHARES = (0.05, 0.25, 1.0)
"""Of the area: about 100 million, 500 million and 2 billion pixels inside the polygon, from scenes of full size"""
TILE = 2048
WANTED = 1.15


def measure(scenes: Scenes, runs: int, _engines: list[str]) -> dict[str, Any]:
    """Share of the area -> figures."""
    exports = {}
    for share in SHARES:
        work = job(scenes, RGB, resolution=RESOLUTION, share=share)
        exports[f"{share:g}"] = functools.partial(run, CUTLINE, work, "--tile-size", str(TILE))
    print("\nflatness, by share of the area", flush=True)
    return {share: asdict(figures) for share, figures in in_turns(runs, exports).items()}


def _by_share(result: dict[str, Any]) -> list[Figures]:
    return [found for plain in result.values() if not (found := Figures(**plain)).error]


def _per_mpx(found: Figures) -> float:
    pixels: int = found.report["pixels"]
    return found.wall / (pixels / 1e6)


def targets(result: dict[str, Any]) -> list[Target]:
    """The dearest of the larger ones against the smallest."""
    costs = [_per_mpx(found) for found in _by_share(result)]
    ratio = max(costs[1:]) / costs[0] if len(costs) == len(SHARES) else None
    return [Target("a pixel of up to 2 billion: time against one of 100 million", ratio, WANTED, at_least=False)]


def text(result: dict[str, Any]) -> str:
    """What ran, and a row for each size."""
    rows = []
    for found in _by_share(result):
        pixels = found.report["pixels"] / 1e6
        cells = [f"{found.wall:.1f}", f"{1000 * _per_mpx(found):.1f}", f"{found.peak_mb:,.0f}"]
        rows.append([f"{pixels:,.1f}", f"{found.report['tiles']:,}", *cells, f"{found.nbytes / 1e6:,.0f}"])
    what = f"u8 × 3, bilinear, DEFLATE-1 at {RESOLUTION:g} m: parts of the area around its centre, in tiles of {TILE}²."
    return f"{what}\n\n" + table(("Mpx inside", "tiles", "wall s", "ms a Mpx", "peak MB", "output MB"), rows)
