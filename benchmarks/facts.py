"""What numbers mean nothing without: the machine and the versions."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import rasterio

CORES = len(os.sched_getaffinity(0))


def facts() -> list[str]:
    """Where and with what."""
    memory = psutil.virtual_memory().total / 2**30
    return [
        f"{_processor()}, {CORES} cores, {memory:.0f} GiB, {platform.system()}",
        f"Python {platform.python_version()}, rasterio {rasterio.__version__}, GDAL {rasterio.__gdal_version__}",
        f"odc-stac {_version('odc-stac')}, odc-geo {_version('odc-geo')}, dask {_version('dask')}",
    ]


def now() -> str:
    """The commit and the day."""
    asked = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return f"{asked.stdout.strip() or 'an unknown commit'}, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}"


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
