"""Every process there is, by name."""

from __future__ import annotations

from cutline.errors import InvalidProcess
from cutline.process.arrays import ARRAYS
from cutline.process.cubes import CUBES
from cutline.process.loading import LOADERS, PLACING
from cutline.process.operations import OPERATIONS
from cutline.process.reducers import REDUCERS
from cutline.process.signature import Process, suggestion

REFUSED: dict[str, str] = {
    "aggregate_spatial": "it gives a table, not an image",
    "aggregate_temporal": "an export is one image; reduce_dimension over t makes it one",
    "aggregate_temporal_period": "an export is one image; reduce_dimension over t makes it one",
    "apply_kernel": "it mixes neighbouring pixels",
    "apply_neighborhood": "it mixes neighbouring pixels",
    "apply_polygon": "it mixes neighbouring pixels",
    "quantiles": "it gives several values; median, min and max give one each",
    "resample_cube_spatial": "all scenes are put on one grid already; resample_spatial chooses it",
    "run_udf": "foreign code is never run",
}
"""Processes of openEO that people will miss, with the reason"""

FEW = ("load_collection", "filter_bands", "reduce_dimension")
"""For who knows none"""

PROCESSES: dict[str, Process] = {**LOADERS, **PLACING, **CUBES, **ARRAYS, **OPERATIONS, **REDUCERS}


def find_process(name: str, pointer: str) -> Process:
    """InvalidProcess for an unknown one, with the nearest names."""
    process = PROCESSES.get(name)
    if process is None:
        if name in REFUSED:
            raise InvalidProcess(f"The process {name!r} is not supported: {REFUSED[name]}.", pointer=pointer)
        raise InvalidProcess(f"There is no process {name!r}{suggestion(name, PROCESSES, FEW)}", pointer=pointer)
    return process
