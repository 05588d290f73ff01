"""``make demo``: from nothing to two exports and their pictures, by the commands a user would type."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import rasterio
from rich.console import Console
from rich.table import Table

from demo.quicklook import quicklook
from demo.scenes import DemoFiles, make_scenes

OUT = Path(__file__).parent / "out"

MASK = ["--mask-asset", "scl", "--mask-values", "3,8,9,10"]
"""Cloud shadow, thin cloud, cloud, cirrus"""

GRID = ["--crs", "EPSG:3857", "--resolution", "10", "--mosaic", "first"]

PRODUCTS = {"rgb": ["--bands", "red,green,blue"], "ndvi": ["--process", "ndvi"]}


@dataclass(frozen=True)
class Export:
    """One export that was made."""

    cog: Path
    png: Path
    seconds: float


def main() -> int:
    console = Console()
    began = time.perf_counter()
    with console.status("Inventing two scenes …"):
        files = make_scenes(OUT)
    console.print(f"Two scenes and an area of interest, invented in {time.perf_counter() - began:.0f} s: {_shown(OUT)}")
    try:
        exports = [export(console, files, name, options) for name, options in PRODUCTS.items()]
    except subprocess.CalledProcessError as error:
        console.print(f"[red]cutline ended with status {error.returncode}[/red]")
        return 1
    console.print(table(exports))
    return 0


def export(console: Console, files: DemoFiles, name: str, options: list[str]) -> Export:
    """Run one export through the command line, and draw it."""
    cog, png = OUT / f"{name}.tif", OUT / f"{name}.png"
    arguments = ["export", "--aoi", _shown(files.aoi)]
    for item in files.items:
        arguments += ["--scene", _shown(item)]
    arguments += [*options, *MASK, *GRID, "-o", _shown(cog)]
    console.print(f"\n[bold]$ cutline {shlex.join(arguments)}[/bold]", soft_wrap=True, highlight=False)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "cutline.cli", *arguments], check=True)
    seconds = time.perf_counter() - began
    quicklook(cog, png)
    return Export(cog, png, seconds)


def table(exports: list[Export]) -> Table:
    """The facts, a column for each export."""
    result = Table(show_header=False, title="Made", title_justify="left")
    for fact in zip(*[_facts(made) for made in exports], strict=True):
        result.add_row(fact[0][0], *[value for _, value in fact])
    return result


def _facts(made: Export) -> list[tuple[str, str]]:
    with rasterio.open(made.cog) as cog:
        rows, cols = cog.block_shapes[0]
        return [
            ("COG", f"[bold]{_shown(made.cog)}[/bold]"),
            ("quick-look", _shown(made.png)),
            ("pixels", f"{cog.width:,} × {cog.height:,}"),
            ("bands", f"{cog.count} × {cog.dtypes[0]}"),
            ("CRS", cog.crs.to_string()),
            ("blocks", f"{-(-cog.height // rows) * -(-cog.width // cols):,} of {cols} × {rows}"),
            ("overviews", ", ".join(f"1:{factor}" for factor in cog.overviews(1))),
            ("bytes", f"{made.cog.stat().st_size:,}"),
            ("seconds", f"{made.seconds:.1f}"),
        ]


def _shown(path: Path) -> str:
    """Relative to where the user is, if it is below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    sys.exit(main())
