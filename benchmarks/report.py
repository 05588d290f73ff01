"""The table in docs/BENCHMARKS.md, with the facts without which its numbers mean nothing."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import psutil
import rasterio

from benchmarks.engines import CUTLINE
from benchmarks.measure import Cost

DOCUMENT = Path(__file__).parents[1] / "docs" / "BENCHMARKS.md"
BEGIN, END = "<!-- written by make bench -->", "<!-- end -->"

INTRODUCTION = f"""# Benchmarks

The same export by four engines: two scenes in UTM zones 32 and 33, warped to EPSG:3857 at 10 m by bilinear
resampling, the first scene on top, cut along a polygon, into a DEFLATE COG with overviews. `make bench` runs
them and rewrites the tables below; each run is a process of its own, and each number the median of the runs.

- *CPU* counts all processes and threads. *Peak* is the highest sum of proportional set sizes over the process tree.
- *×* is an engine's figure over cutline's: above 1, cutline needs less.
- gdalwarp is GDAL's own, called in the GDAL that rasterio and so cutline use (`tests/support/gdalwarp.py`). By
  default it approximates coordinates to an eighth of a pixel; `-et 0` does not, nor does cutline.

{BEGIN}
{END}
"""


@dataclass(frozen=True)
class Result:
    """All runs of one engine on one case."""

    engine: str
    costs: tuple[Cost, ...]
    nbytes: int
    error: str = ""

    @property
    def middle(self) -> tuple[float, float, float]:
        """Medians: seconds, CPU seconds, peak MB."""
        return (
            median(cost.wall for cost in self.costs),
            median(cost.cpu for cost in self.costs),
            median(cost.peak for cost in self.costs) / 1e6,
        )


def table(results: list[Result]) -> str:
    """One case as Markdown."""
    ours = next((result.middle for result in results if result.engine == CUTLINE and result.costs), None)
    lines = ["| engine | wall s | × | CPU s | × | peak MB | × | output MB |", "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for result in results:
        if not result.costs:
            lines.append(f"| {result.engine} | failed | | | | | | |")
            continue
        cells = []
        for index, value in enumerate(result.middle):
            cells += [f"{value:,.1f}" if index < 2 else f"{value:,.0f}", f"{value / ours[index]:.2f}" if ours else ""]
        lines.append(f"| {result.engine} | {' | '.join(cells)} | {result.nbytes / 1e6:,.1f} |")
    return "\n".join(lines)


def machine() -> str:
    """Where and with what."""
    memory = psutil.virtual_memory().total / 2**30
    facts = [
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}",
        f"Python {platform.python_version()}, rasterio {rasterio.__version__}, GDAL {rasterio.__gdal_version__}",
        f"odc-stac {_version('odc-stac')}, odc-geo {_version('odc-geo')}, dask {_version('dask')}",
        f"cutline {_version('cutline')} at {_commit()}, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
    ]
    return "\n".join(f"- {fact}" for fact in facts)


def write(body: str) -> Path:
    """Put ``body`` between the marks of the document, which is begun if it is not there."""
    text = DOCUMENT.read_text() if DOCUMENT.exists() else INTRODUCTION
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}")
    return DOCUMENT


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _commit() -> str:
    asked = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "an unknown commit"
