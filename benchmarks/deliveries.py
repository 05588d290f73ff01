"""A COG of 20 GB to Dropbox, here to the stand-in of the tests, beside a plain copy of as many bytes."""

from __future__ import annotations

import functools
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.engines import Run
from benchmarks.measure import measure as cost_of
from benchmarks.scenes import FULL_SIZE, OUT, Scenes
from benchmarks.targets import Target, table
from benchmarks.turns import Figures, in_turns
from tests.support.dropbox_account import Account
from tests.support.dropbox_server import serving

GIGABYTES = 20
QUICK_GIGABYTES = 1
"""With small scenes"""
DEATHS = 5
COPY, WHOLE, KILLED = "a plain copy", "a delivery", f"a delivery, killed {DEATHS} times"
WAYS = {COPY: ("copy",), WHOLE: ("deliver", 0), KILLED: ("deliver", DEATHS)}
MOST_MB = 300


def measure(scenes: Scenes, runs: int, _engines: list[str]) -> dict[str, Any]:
    """Way -> figures."""
    nbytes = (GIGABYTES if scenes.size == FULL_SIZE else QUICK_GIGABYTES) * 10**9
    print(f"\ndeliveries, {nbytes / 1e9:g} GB to Dropbox's stand-in", flush=True)
    ways = {name: functools.partial(_bring, nbytes, *how) for name, how in WAYS.items()}
    return {name: asdict(figures) for name, figures in in_turns(runs, ways).items()}


def _bring(nbytes: int, what: str, *deaths: int) -> Run:
    """Once. The stand-in is a thread of ours, and no part of the figures."""
    with tempfile.TemporaryDirectory(dir=OUT) as scratch:
        folder = Path(scratch)
        with serving(Account(), folder) as port:
            words = [what, scratch, str(port), str(nbytes), *map(str, deaths)]
            cost = cost_of([sys.executable, "-m", "benchmarks.with_dropbox", *words], folder / "log")
    return Run(cost, nbytes, 0.0, {})


def targets(result: dict[str, Any]) -> list[Target]:
    """The most memory of all deliveries."""
    peaks = [max(found.peaks) / 1e6 for name in (WHOLE, KILLED) if not (found := Figures(**result[name])).error]
    peak = max(peaks) if len(peaks) == 2 else None
    return [Target("a large delivery: peak memory", peak, MOST_MB, at_least=False, unit="MB")]


def text(result: dict[str, Any]) -> str:
    """What ran, and a row for each way."""
    found = {name: Figures(**plain) for name, plain in result.items()}
    rows = []
    for name, figures in found.items():
        if figures.error:
            rows.append([name, "failed", "", "", "", ""])
            continue
        copied = found[COPY].wall if found[COPY].walls else float("nan")
        speed = figures.nbytes / 1e6 / figures.wall
        cells = (f"{figures.wall:.1f}", f"{speed:,.0f}", f"{figures.wall / copied:.2f}", f"{figures.cpu:.1f}")
        rows.append([name, *cells, f"{figures.peak_mb:,.0f}"])
    nbytes = max(figures.nbytes for figures in found.values())
    what = (
        f"{nbytes / 1e9:g} GB of noise go to the tests' stand-in for Dropbox on this machine, by TLS, in pieces of "
        "48 MiB. A delivery hashes what it sends, asks how much room there is, writes its cursor after each piece and "
        "reads the hash of the whole back; the stand-in hashes every piece twice before it answers, which a plain copy "
        "is spared. A killed invocation had sent a piece that its cursor does not know of."
    )
    return f"{what}\n\n" + table(("way", "wall s", "MB/s", "× copy", "CPU s", "peak MB"), rows)
