"""``make bench``, or ``python -m benchmarks --size 2745 --runs 1 --only ndvi`` for a quick look."""

from __future__ import annotations

import argparse

from benchmarks.cases import ENGINES
from benchmarks.document import SECTIONS, run_section, write
from benchmarks.scenes import FULL_SIZE, scenes

DEFAULT = [name for name in SECTIONS if name != "tuning"]


def main() -> None:
    options = _options()
    made = scenes(options.size)
    made.warm()
    for name in options.only:
        run_section(name, made, options.runs, options.engines)
        print(f"\nWritten to {write(options.size)}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", type=int, default=FULL_SIZE, help="pixels of each scene's side")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--only", nargs="+", choices=list(SECTIONS), default=DEFAULT, help="these sections; tuning only so"
    )
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES, help="of the table; others stay")
    return parser.parse_args()


if __name__ == "__main__":
    main()
