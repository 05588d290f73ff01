"""``make bench``, or ``python -m benchmarks --size 2745 --runs 1`` for a quick look."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import rasterio

from benchmarks.engines import MODULES, command
from benchmarks.inputs import FULL_SIZE, OUT, Inputs, inputs
from benchmarks.measure import Cost, Failed, measure
from benchmarks.report import Result, machine, table, write


def main() -> None:
    options = _options()
    print("Inputs …", flush=True)
    sections = [machine()]
    for path in inputs(options.size):
        case = Inputs.load(path)
        rows, cols = case.shape
        heading = f"### {case.name}: scenes of {options.size:,}² to {cols:,} × {rows:,}, median of {options.runs}"
        print(f"\n{heading}", flush=True)
        results = compare(path, options.engines, options.runs)
        sections.append(f"{heading}\n\n{table(results)}")
        print(table(results), flush=True)
    if options.write:
        print(f"\nWritten to {write(chr(10) + (chr(10) * 2).join(sections) + chr(10))}")


def compare(case: Path, engines: list[str], runs: int) -> list[Result]:
    """Every engine on one case. The runs take turns, so that a slow minute of the machine hits all alike."""
    costs: dict[str, list[Cost]] = {engine: [] for engine in engines}
    sizes = dict.fromkeys(engines, 0)
    errors: dict[str, str] = {}
    _warm(case)
    for _ in range(runs):
        for engine in engines:
            if engine in errors:
                continue
            try:
                cost, sizes[engine] = _run(engine, case)
            except (Failed, AssertionError) as error:
                errors[engine] = str(error)
                print(f"  {engine}: failed: {error}", flush=True)
                continue
            costs[engine].append(cost)
            print(f"  {engine}: {cost.wall:.1f} s, CPU {cost.cpu:.1f} s, {cost.peak / 1e6:.0f} MB", flush=True)
    return [Result(name, tuple(() if name in errors else costs[name]), sizes[name]) for name in engines]


def _run(engine: str, case: Path) -> tuple[Cost, int]:
    """One run, in a folder of its own; the file must be what was asked for."""
    wanted = Inputs.load(case)
    with tempfile.TemporaryDirectory(dir=OUT) as scratch:
        dst = Path(scratch, "export.tif")
        cost = measure(command(engine, case, dst), Path(scratch, "log"))
        with rasterio.open(dst) as made:
            assert made.shape == tuple(wanted.shape), f"made {made.shape}, not {wanted.shape}"
            assert made.count == len(wanted.bands), f"made {made.count} bands"
            assert made.dtypes[0] == wanted.dtype, f"made {made.dtypes[0]}"
            assert made.overviews(1), "made no overviews"
            assert made.read(1, out_shape=(1, 64, 64)).mean() > 1, "made an empty picture"
        return cost, dst.stat().st_size


def _warm(case: Path) -> None:
    """Read the scenes once, so that no engine pays for the disk."""
    for scene in Inputs.load(case).scenes:
        with Path(scene).open("rb") as file:
            while file.read(1 << 24):
                pass


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", type=int, default=FULL_SIZE, help="pixels of each scene's side")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engines", nargs="+", choices=list(MODULES), default=list(MODULES))
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave docs/BENCHMARKS.md alone")
    return parser.parse_args()


if __name__ == "__main__":
    main()
