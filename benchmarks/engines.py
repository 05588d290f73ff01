"""Who is measured. Each engine is a command, so that each has a process, a cache and a peak of its own."""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import MaskFlags
from rasterio.errors import NodataShadowWarning

from benchmarks.cases import CUTLINE, EXACT, GDALWARP, ODC, Job
from benchmarks.measure import Cost, measure
from benchmarks.scenes import CRS, OUT

PEERS = {
    GDALWARP: ["benchmarks.with_gdalwarp"],
    EXACT: ["benchmarks.with_gdalwarp", "-et", "0"],
    ODC: ["benchmarks.with_odc"],
}
"""What ``python -m`` runs, with arguments of its own"""


@dataclass(frozen=True)
class Run:
    """One export that was made, and found to be what was asked for."""

    cost: Cost
    nbytes: int
    mean: float
    """Of the first band where it has data, at an overview: engines that do the same work agree on it"""
    report: dict[str, Any]
    """What cutline says of it, or the settings of a peer"""


def run(engine: str, job: Job, *more: str) -> Run:
    """One export, in a folder of its own. ``more``: options of the engine."""
    with tempfile.TemporaryDirectory(dir=OUT) as scratch:
        folder = Path(scratch)
        dst, log = folder / "export.tif", folder / "log"
        if engine == CUTLINE:
            cost = measure(cutline(job, dst, *more), log)
        else:
            path = job.save(folder / "job.json")
            cost = measure([sys.executable, "-m", *PEERS[engine], *more, str(path), str(dst)], log)
        report = _json(log.read_text()) if engine == CUTLINE else {"settings": more[-1] if more else ""}
        return Run(cost, dst.stat().st_size, _checked(dst, job), report)


def cutline(job: Job, dst: Path, *more: str) -> list[str]:
    """The command, as a user writes it."""
    words = [sys.executable, "-m", "cutline.cli", "export", "--json", "--aoi", job.aoi]
    for scene in job.scenes:
        words += ["--scene", scene]
    words += ["--process", job.process] if job.process else ["--bands", ",".join(job.bands)]
    words += ["--crs", CRS, "--resolution", f"{job.resolution:g}", "--resampling", job.resampling]
    words += ["--mosaic", "first", "--profile", job.profile]
    words += [] if job.level is None else ["--level", str(job.level)]
    words += [] if job.masked or job.process else ["--nodata", "0"]
    return [*words, *more, "-o", str(dst)]


def _json(text: str) -> dict[str, Any]:
    """The report among what else a command said."""
    report: dict[str, Any] = json.JSONDecoder().raw_decode(text, text.index("{"))[0]
    return report


def _checked(path: Path, job: Job) -> float:
    """The mean of a file that is what was asked for."""
    with warnings.catch_warnings(), rasterio.open(path) as made:
        warnings.simplefilter("ignore", NodataShadowWarning)  # odc-geo calls a fourth band alpha
        facts = {
            "shape": (made.shape, tuple(job.shape)),
            "bands": (made.count, len(job.bands)),
            "dtype": (made.dtypes[0], job.dtype),
            "codec": (made.compression.name.lower(), job.profile),
            "mask": (MaskFlags.per_dataset in made.mask_flag_enums[0], job.masked),
            "overviews": (bool(made.overviews(1)), True),
        }
        for what, (found, wanted) in facts.items():
            assert found == wanted, f"{what}: made {found}, not {wanted}"
        if job.masked and len(job.bands) == 3:
            assert made.photometric.name.lower() == "ycbcr", "made no YCbCr"
        small = made.read(1, out_shape=(256, 256), masked=True)
        assert small.count() > small.size / 4, "made an empty picture"
        return float(np.ma.mean(small))
