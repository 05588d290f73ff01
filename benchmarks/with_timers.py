"""``python -m benchmarks.with_timers <job.json> <destination>``: cutline on one core, with timers around its parts.

It runs the command line in this process, with one worker, and wraps the functions that read, resample and encode
wherever cutline's modules hold them. Prints processor seconds as JSON.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import math
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import rasterio
from rasterio.io import DatasetReader
from rasterio.windows import Window

from benchmarks.cases import Job
from benchmarks.engines import cutline

PARTS = {"resample": ("cutline.kernel.native", "fill"), "encode": ("cutline.cog.encode", "encode")}
"""What is timed beside reading: module and function"""

HOLDERS = ("cutline.export", "cutline.render", "cutline.kernel.resample", "cutline.cog.pyramid", "cutline.cog.coarse")
"""Modules that import those"""

Blocks = dict[tuple[str, tuple[int, ...]], set[tuple[int, int]]]
"""(file, bands) -> blocks (row, col)"""


class Timers:
    """Processor seconds by part, and the blocks of the scenes that were needed."""

    def __init__(self, scenes: list[str]) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.blocks: Blocks = defaultdict(set)
        self._scenes = set(scenes)

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[part] += time.process_time() - began

        return call

    def reading(self, function: Callable[..., Any]) -> Callable[..., Any]:
        timed = self.timed("read", function)

        def read(dataset: DatasetReader, *args: Any, **kwargs: Any) -> Any:
            if dataset.name not in self._scenes or "window" not in kwargs:
                return function(dataset, *args, **kwargs)
            indexes = args[0] if args else kwargs["indexes"]
            self._note(dataset, tuple(indexes), kwargs["window"])
            return timed(dataset, *args, **kwargs)

        return read

    def _note(self, dataset: DatasetReader, indexes: tuple[int, ...], window: Window) -> None:
        height, width = dataset.block_shapes[0]
        rows = range(int(window.row_off) // height, math.ceil((window.row_off + window.height) / height))
        cols = range(int(window.col_off) // width, math.ceil((window.col_off + window.width) / width))
        self.blocks[dataset.name, indexes] |= {(row, col) for row in rows for col in cols}


@contextlib.contextmanager
def patched(timers: Timers) -> Iterator[None]:
    """The timers in place, wherever a function is known by name."""
    for name in HOLDERS:
        importlib.import_module(name)
    with contextlib.ExitStack() as stack:
        for part, (module, name) in PARTS.items():
            function = getattr(importlib.import_module(module), name)
            timed = timers.timed(part, function)
            for holder in [value for key, value in sys.modules.items() if key.startswith("cutline")]:
                for known in [known for known, value in vars(holder).items() if value is function]:
                    stack.enter_context(mock.patch.object(holder, known, timed))
        stack.enter_context(mock.patch.object(DatasetReader, "read", timers.reading(DatasetReader.read)))
        yield


def decode_once(blocks: Blocks) -> float:
    """Processor seconds to read every block that was needed, each once, from files opened anew."""
    seconds = 0.0
    for (path, indexes), wanted in blocks.items():
        with rasterio.Env(GDAL_NUM_THREADS="1"), rasterio.open(path, sharing=False) as dataset:
            height, width = dataset.block_shapes[0]
            began = time.process_time()
            for row, col in sorted(wanted):
                whole = Window(0, 0, dataset.width, dataset.height)
                dataset.read(list(indexes), window=Window(col * width, row * height, width, height).intersection(whole))
            seconds += time.process_time() - began
    return seconds


def main(job: Job, dst: Path) -> dict[str, float]:
    """Processor seconds: reading as cutline does it, every block once, resampling, encoding, and all of the command."""
    from cutline.cli import main as command  # noqa: PLC0415 - after the core is chosen

    timers = Timers(job.scenes)
    _python, _m, program, *words = cutline(job, dst, "--workers", "1")
    alone = mock.patch("os.cpu_count", return_value=1)  # so that nothing is made ready for workers
    with patched(timers), alone, mock.patch("sys.argv", [program, *words]):
        began = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            command()
        whole = time.process_time() - began
    found = dict(timers.seconds)
    missing = {"read", *PARTS} - found.keys()
    if missing or not dst.exists():
        raise AssertionError(f"nothing passed the timers of {', '.join(missing) or 'an export that failed'}")
    return {**found, "decode": decode_once(timers.blocks), "whole": whole}


if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(json.dumps(main(Job.load(Path(sys.argv[1])), Path(sys.argv[2]))))
