"""gdalwarp by several settings: the fastest of each case goes into the table."""

from __future__ import annotations

import functools
from dataclasses import asdict
from typing import Any

from benchmarks.cases import CASES, GDALWARP, Case, job_of
from benchmarks.engines import run
from benchmarks.results import load
from benchmarks.scenes import Scenes
from benchmarks.targets import Target, table
from benchmarks.turns import Figures, in_turns
from benchmarks.with_gdalwarp import DEFAULT, SETTINGS


def measure(scenes: Scenes, runs: int, _engines: list[str]) -> dict[str, Any]:
    """Case -> settings -> figures."""
    made = {}
    for case in CASES:
        print(f"\ntuning gdalwarp: {case.title}", flush=True)
        job = job_of(case, scenes)
        exports = {name: functools.partial(run, GDALWARP, job, "--settings", name) for name in SETTINGS}
        made[case.key] = {name: asdict(figures) for name, figures in in_turns(runs, exports).items()}
    return made


def best_settings(size: int, case: Case) -> str:
    """The fastest of those that were measured; before that, what looked best at a quarter of the size."""
    known = {name: Figures(**plain) for name, plain in load(size, "tuning").get("result", {}).get(case.key, {}).items()}
    walls = {name: figures.wall for name, figures in known.items() if figures.walls and name in SETTINGS}
    return min(walls, key=lambda name: walls[name], default=DEFAULT)


def targets(_result: dict[str, Any]) -> list[Target]:
    """None: it is not our program."""
    return []


def text(result: dict[str, Any]) -> str:
    """A row for each of the settings, with wall seconds and MB of each case."""
    cases = [case for case in CASES if case.key in result]
    rows = []
    for name, words in SETTINGS.items():
        cells = [f"{name}: `{' '.join(words)}`"]
        for case in cases:
            found = Figures(**result[case.key].get(name, {"at": ""}))
            cells += [f"{found.wall:.1f}", f"{found.cpu:.1f}", f"{found.peak_mb:,.0f}"] if found.walls else ["–"] * 3
        rows.append(cells)
    headings = [heading for case in cases for heading in (f"{case.title}: wall s", "CPU s", "peak MB")]
    return table(["settings", *headings], rows)
