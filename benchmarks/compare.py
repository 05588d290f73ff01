"""The same work by gdalwarp, odc-stac and cutline."""

from __future__ import annotations

import functools
from dataclasses import asdict
from typing import Any

from benchmarks.cases import CASES, CUTLINE, EXACT, GDALWARP, Case, job_of
from benchmarks.engines import run
from benchmarks.results import load
from benchmarks.scenes import Scenes
from benchmarks.targets import Target, table
from benchmarks.tuning import best_settings
from benchmarks.turns import Figures, in_turns

AGREED = 0.02
"""How far engines' means may lie apart, as a share: they compute overviews each in its way"""


def measure(scenes: Scenes, runs: int, engines: list[str]) -> dict[str, Any]:
    """Case -> engine -> figures. Engines that are left out keep the figures that they have."""
    before, made = load(scenes.size, "table").get("result", {}), {}
    for case in CASES:
        print(f"\n{case.title}", flush=True)
        job = job_of(case, scenes)
        wanted = [engine for engine in case.engines if engine in engines]
        settings = ("--settings", best_settings(scenes.size, case))
        options = {GDALWARP: settings, EXACT: settings}
        exports = {engine: functools.partial(run, engine, job, *options.get(engine, ())) for engine in wanted}
        found = in_turns(runs, exports)
        fresh = {engine: asdict(figures) for engine, figures in found.items()}
        both = before.get(case.key, {}) | fresh
        made[case.key] = {engine: both[engine] for engine in case.engines if engine in both}
        _check_agreement(case, _figures(made, case))
    return made


def _check_agreement(case: Case, found: dict[str, Figures]) -> None:
    means = {engine: figures.mean for engine, figures in found.items() if not figures.error}
    if means and max(means.values()) > min(means.values()) * (1 + AGREED):
        print(f"  NOT THE SAME WORK: means of {case.title}: {means}", flush=True)


def _figures(result: dict[str, Any], case: Case) -> dict[str, Figures]:
    return {engine: Figures(**figures) for engine, figures in result.get(case.key, {}).items()}


def targets(result: dict[str, Any]) -> list[Target]:
    """How much faster than each peer, and how much memory."""
    listed = []
    for case in CASES:
        found = {engine: figures for engine, figures in _figures(result, case).items() if not figures.error}
        ours = found.get(CUTLINE)
        for peer, bound in case.faster.items():
            faster = found[peer].wall / ours.wall if ours and peer in found else None
            listed.append(Target(f"{case.title}: faster than {peer}", faster, bound, at_least=True))
        peak = ours.peak_mb if ours else None
        listed.append(Target(f"{case.title}: peak memory", peak, case.peak_mb, at_least=False, unit="MB"))
    return listed


def text(result: dict[str, Any]) -> str:
    """A table a case."""
    parts = []
    for case in CASES:
        found = _figures(result, case)
        ours = found.get(CUTLINE)
        rows = [_row(engine, figures, ours) for engine, figures in found.items()]
        headings = ("engine", "wall s", "×", "CPU s", "×", "peak MB", "×", "output MB", "commit, day")
        parts.append(f"### {case.title}\n\n{table(headings, rows)}")
    return "\n\n".join(parts)


def _row(engine: str, figures: Figures, ours: Figures | None) -> list[str]:
    if figures.error:
        return [engine, "failed", *[""] * 6, figures.at]
    settings = figures.report.get("settings")
    cells = [f"{engine} ({settings})" if settings else engine]
    for name in ("wall", "cpu", "peak_mb"):
        value = getattr(figures, name)
        cells.append(f"{value:,.0f}" if name == "peak_mb" else f"{value:,.1f}")
        cells.append(f"{value / getattr(ours, name):.2f}" if ours and not ours.error else "")
    return [*cells, f"{figures.nbytes / 1e6:,.1f}", figures.at]
