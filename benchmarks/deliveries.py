"""A large COG to each kind of target, here to servers on this machine, beside the plain way to bring it."""

from __future__ import annotations

import functools
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.engines import Run
from benchmarks.measure import measure as cost_of
from benchmarks.places import PLACES
from benchmarks.scenes import FULL_SIZE, OUT, Scenes
from benchmarks.targets import Target, table
from benchmarks.turns import Figures, in_turns
from benchmarks.with_delivery import checksum

GIGABYTES = {"Dropbox": 20, "S3": 20, "SFTP": 2}
"""The tests' SFTP server takes 40 MB/s at most"""
QUICK_GIGABYTES = 1
"""With small scenes"""
DEATHS = 5
COPY, WHOLE, KILLED = "a plain copy", "a delivery", f"a delivery, killed {DEATHS} times"
WAYS = {COPY: ("copy",), WHOLE: ("deliver", 0), KILLED: ("deliver", DEATHS)}
MOST_MB = 300


def measure(scenes: Scenes, runs: int, _engines: list[str]) -> dict[str, Any]:
    """Place -> way -> figures."""
    found = {}
    for place in PLACES:
        nbytes = (GIGABYTES[place] if scenes.size == FULL_SIZE else QUICK_GIGABYTES) * 10**9
        crc = checksum(nbytes)
        print(f"\n{place}, {nbytes / 1e9:g} GB", flush=True)
        ways = {name: functools.partial(_bring, place, nbytes, crc, *how) for name, how in WAYS.items()}
        found[place] = {name: asdict(figures) for name, figures in in_turns(runs, ways).items()}
    return found


def _bring(place: str, nbytes: int, crc: str, what: str, *deaths: int) -> Run:
    """Once. The server is a thread of ours, and no part of the figures."""
    with tempfile.TemporaryDirectory(dir=OUT) as scratch:
        folder = Path(scratch)
        (folder / "crc64nvme").write_text(crc)
        with PLACES[place].serving(folder) as port:
            words = [place, what, scratch, str(port), str(nbytes), *map(str, deaths)]
            cost = cost_of([sys.executable, "-m", "benchmarks.with_delivery", *words], folder / "log")
    return Run(cost, nbytes, 0.0, {})


def targets(result: dict[str, Any]) -> list[Target]:
    """The most memory of all deliveries."""
    figures = [Figures(**ways[name]) for ways in result.values() for name in (WHOLE, KILLED)]
    peak = None if any(found.error for found in figures) else max(max(found.peaks) for found in figures) / 1e6
    return [Target("a large delivery: peak memory", peak, MOST_MB, at_least=False, unit="MB")]


def text(result: dict[str, Any]) -> str:
    """What ran, and a row for each place and way."""
    found = {(place, name): Figures(**plain) for place, ways in result.items() for name, plain in ways.items()}
    rows = []
    for (place, name), figures in found.items():
        if figures.error:
            rows.append([place, name, "failed", *[""] * 5])
            continue
        copied = found[place, COPY]
        times = f"{figures.wall / copied.wall:.2f}" if copied.walls else ""
        speed = f"{figures.nbytes / 1e6 / figures.wall:,.0f}"
        cells = (f"{figures.nbytes / 1e9:g}", f"{figures.wall:.1f}", speed, times, f"{figures.cpu:.1f}")
        rows.append([place, name, *cells, f"{figures.peak_mb:,.0f}"])
    what = (
        "Noise goes to servers on this machine, which share its cores: the tests' stand-in for "
        "Dropbox by TLS, an S3 that checks what it gets and forgets it, the tests' SFTP server with a disk. The plain "
        "way posts pieces of 48 MiB, is boto3's upload_fileobj, and paramiko's putfo. A delivery writes its cursor as "
        "it goes and has the whole proven: by Dropbox's content hash, which the stand-in computes twice of each piece, "
        "by S3's MD5 and CRC-64/NVME, and by reading each piece back from SFTP. A killed invocation had sent something "
        "that its cursor does not know of."
    )
    return f"{what}\n\n" + table(("to", "way", "GB", "wall s", "MB/s", "× copy", "CPU s", "peak MB"), rows)
