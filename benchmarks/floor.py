"""What cannot be saved: decode every block that is needed once, resample, encode. On one core, then shared out."""

from __future__ import annotations

import functools
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cases import CASES, CUTLINE, Job, job_of
from benchmarks.engines import run
from benchmarks.facts import CORES
from benchmarks.measure import measure as run_command
from benchmarks.scenes import OUT, Scenes
from benchmarks.targets import Target, table
from benchmarks.turns import Figures, in_turns

WORK = ("decode", "resample", "encode")


def measure(scenes: Scenes, runs: int, _engines: list[str]) -> dict[str, Any]:
    """Case -> seconds by part, and the figures of cutline."""
    made = {}
    for case in CASES:
        print(f"\nfloor: {case.title}", flush=True)
        job = job_of(case, scenes)
        timed = []
        for _ in range(runs):
            timed.append(_timed(job))
            print(f"  {', '.join(f'{part} {seconds:.2f} s' for part, seconds in timed[-1].items())}", flush=True)
        whole = in_turns(runs, {CUTLINE: functools.partial(run, CUTLINE, job)})[CUTLINE]
        seconds = {part: median(each[part] for each in timed) for part in timed[0]}
        made[case.key] = {"seconds": seconds, "cores": CORES, "cutline": asdict(whole)}
    return made


def _timed(job: Job) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=OUT) as scratch:
        path, log = job.save(Path(scratch, "job.json")), Path(scratch, "log")
        command = [sys.executable, "-m", "benchmarks.with_timers", str(path), str(Path(scratch, "export.tif"))]
        run_command(command, log)
        seconds: dict[str, float] = json.loads(log.read_text().splitlines()[-1])
        return seconds


def targets(_result: dict[str, Any]) -> list[Target]:
    """None: the floor says how much there is left to gain."""
    return []


def text(result: dict[str, Any]) -> str:
    """A row a case, and how much the parts of cutline that are no such work take."""
    rows = []
    for case in CASES:
        if case.key not in result:
            continue
        seconds, cores = result[case.key]["seconds"], result[case.key]["cores"]
        floor = sum(seconds[part] for part in WORK) / cores
        rest = seconds["whole"] - sum(seconds[part] for part in ("read", "resample", "encode"))
        wall = Figures(**result[case.key]["cutline"])
        cells = [f"{seconds[part]:.2f}" for part in WORK]
        cells += [f"{floor:.2f}", f"{wall.wall:.2f}" if wall.walls else "failed"]
        cells += [f"{wall.wall / floor:.2f}" if wall.walls else ""]
        cells += [f"{seconds['read'] - seconds['decode']:.2f}", f"{rest:.2f}"]
        rows.append([case.title, *cells])
    cores = next((plain["cores"] for plain in result.values()), CORES)
    headings = ["work", "decode", "resample", "encode", f"floor on {cores} cores", "cutline", "× floor"]
    return (
        "Seconds of one core for decoding every source block that is needed once, for the resampling loops, and for "
        f"encoding all levels once; their sum over {cores} cores is the floor. Measured by timers around these "
        "functions in one process on one core. *Read again* is what reading took beyond decoding once, *rest* what "
        "that process did beside reading, resampling and encoding, its start left out.\n\n"
        + table([*headings, "read again", "rest"], rows)
    )
