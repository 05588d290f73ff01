"""The sections, and the document that is written from the results of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import compare, deliveries, flat, floor, ndvi, scaling, service, tuning
from benchmarks.results import folder, load, save
from benchmarks.scenes import FULL_SIZE, Scenes
from benchmarks.targets import Target, target_table

DOCUMENT = Path(__file__).parents[1] / "docs" / "BENCHMARKS.md"

INTRODUCTION = """# Benchmarks

Written by `make bench`, which takes about an hour; `python -m benchmarks --only floor ndvi` measures some sections
again, and `--size 2745 --runs 1` is a quick look that leaves this document alone.

Two scenes of {size:,}² pixels in UTM zones 32 and 33 become EPSG:3857 at 10 m, {cols:,} × {rows:,} pixels: the first
on top, cut along a polygon of eight corners, into a COG with overviews. All engines run on the same machine with the
same codec, level and resampling; each run is a process of its own, which reads files that are in the system's cache;
the engines take turns, and each number is the median of the runs.

- *CPU* counts all processes and threads. *Peak* is the highest sum of proportional set sizes over all processes.
- *×* is an engine's figure over cutline's: above 1, cutline needs less.
- gdalwarp is GDAL's own, called in the GDAL that rasterio and so cutline use (`tests/support/gdalwarp.py`). By default
  it approximates coordinates to an eighth of a pixel; `-et 0` does not, nor does cutline.
- gdalwarp has, for each case, the settings for memory and threads that were fastest of those we tried (see the end).
- odc-stac loads in chunks of 2048² on dask's threads, and odc-geo writes the COG. It writes no masks, so it has no part
  in JPEG.
"""


@dataclass(frozen=True)
class Section:
    """A part of the document."""

    title: str
    measure: Callable[[Scenes, int, list[str]], dict[str, Any]]
    targets: Callable[[dict[str, Any]], list[Target]]
    text: Callable[[dict[str, Any]], str]


SECTIONS = {
    "table": Section("Beside gdalwarp and odc-stac", compare.measure, compare.targets, compare.text),
    "floor": Section("The floor", floor.measure, floor.targets, floor.text),
    "scaling": Section("Two workers", scaling.measure, scaling.targets, scaling.text),
    "flat": Section("Large exports", flat.measure, flat.targets, flat.text),
    "ndvi": Section("Computing", ndvi.measure, ndvi.targets, ndvi.text),
    "service": Section("The service", service.measure, service.targets, service.text),
    "deliveries": Section("Deliveries", deliveries.measure, deliveries.targets, deliveries.text),
    "tuning": Section("Settings of gdalwarp", tuning.measure, tuning.targets, tuning.text),
}


def run_section(name: str, scenes: Scenes, runs: int, engines: list[str]) -> None:
    """Measure a section, keep its results and say them."""
    section = SECTIONS[name]
    result = section.measure(scenes, runs, engines)
    save(scenes.size, name, runs, result)
    promised = section.targets(result)
    print(f"\n{section.text(result)}\n\n{target_table(promised) if promised else ''}", flush=True)


def write(size: int) -> Path:
    """The document, from the results of all sections that there are; that of full size is the repository's."""
    found = {name: kept for name in SECTIONS if (kept := load(size, name))}
    targets = [target for name, kept in found.items() for target in SECTIONS[name].targets(kept["result"])]
    rows, cols = Scenes(size, (), ()).area()[1]
    introduction = INTRODUCTION.format(size=size, rows=rows, cols=cols)
    parts = [introduction, f"## Targets\n\n{target_table(targets)}"]
    for name, section in SECTIONS.items():
        parts.append(f"## {section.title}\n\n{_section(section, found.get(name))}")
    machine = dict.fromkeys(fact for kept in found.values() for fact in kept["facts"])
    parts.append("## The machine\n\n" + "\n".join(f"- {fact}" for fact in machine))
    path = DOCUMENT if size == FULL_SIZE else folder(size) / DOCUMENT.name
    path.write_text("\n\n".join(part.strip() for part in parts) + "\n")
    return path


def _section(section: Section, kept: dict[str, Any] | None) -> str:
    if not kept:
        return "Not measured yet."
    runs = "one run" if kept["runs"] == 1 else f"median of {kept['runs']} runs"
    return f"{section.text(kept['result'])}\n\nMeasured at {kept['at']}: {runs}."
