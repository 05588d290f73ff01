"""What people see in a terminal. Programs use --json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from cutline.aoi import AoiReport
from cutline.cog.validate import Validation
from cutline.estimate import Estimate
from cutline.export import Exported
from cutline.export import Progress as Report
from cutline.process import ProcessInfo

_SEVERITY = {"error": "red", "warning": "yellow", "repaired": "green", "info": "dim"}


@contextmanager
def progress(console: Console) -> Iterator[Report]:
    """A bar with tiles, rate and time left; yields what to call with (done, planned)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading headers", total=None, rate="")

        def report(done: int, planned: int) -> None:
            speed = bar.tasks[task].speed
            rate = f"{speed:.2f} tiles/s" if speed else ""
            description = "tiles" if done < planned else "assembling"
            bar.update(task, description=description, completed=done, total=planned, rate=rate)

        yield report


def exported(console: Console, done: Exported) -> None:
    receipt, plan = done.receipt, done.plan
    level = plan.cog.level
    rows, cols = receipt.shape
    facts: dict[str, str] = {}
    facts["file"] = escape(receipt.href)
    facts["item"] = escape(str(done.item))
    facts["pixels"] = f"{cols:,} x {rows:,} at {plan.geobox.resolution[0]:g} in {_crs(receipt.crs)}"
    facts["bands"] = f"{_listed(plan.cog.bands)} as {plan.cog.dtype}, {_no_data(done)}"
    facts["size"] = f"{size(receipt.nbytes)}, profile {plan.cog.profile}" + (f", level {level}" if level else "")
    facts["tiles"] = f"{len(plan.tiles)} of {plan.edge} pixels" + (f", {done.reused} reused" * bool(done.reused))
    facts["time"] = f"{done.seconds:.1f} s"
    print_facts(console, facts)
    _warnings(console, done.warnings)


def export_report(done: Exported) -> dict[str, Any]:
    """The same for programs."""
    receipt, plan = done.receipt, done.plan
    return {
        **receipt.model_dump(mode="json"),
        "item": str(done.item),
        "resolution": list(plan.geobox.resolution),
        "bounds": list(plan.geobox.bounds),
        "bands": list(plan.cog.bands),
        "dtype": plan.cog.dtype,
        "profile": plan.cog.profile,
        "level": plan.cog.level,
        "pixels": plan.pixels,
        "tiles": len(plan.tiles),
        "tile_edge": plan.edge,
        "tiles_reused": done.reused,
        "scenes": [scene.id for scene in plan.scenes],
        "seconds": round(done.seconds, 3),
        "warnings": list(done.warnings),
    }


def estimate(console: Console, figures: Estimate) -> None:
    facts: dict[str, str] = {}
    facts["grid"] = f"{figures.cols:,} x {figures.rows:,} at {figures.resolution[0]:g} in {_crs(figures.crs)}"
    facts["pixels"] = f"{figures.pixels:,} inside the area"
    facts["tiles"] = f"{figures.tiles} of {figures.tile_edge} pixels"
    facts["bands"] = f"{figures.bands} as {figures.dtype}"
    facts["size"] = f"at most {size(figures.bytes_max)} ({size(figures.raw_bytes)} of raw pixels)"
    facts["time"] = f"{seconds(figures.seconds.low)} to {seconds(figures.seconds.high)} on this machine"
    cost = figures.aws_cost_usd
    facts["AWS"] = f"${cost.low:.4f} to ${cost.high:.4f}, without egress"
    print_facts(console, facts)
    _warnings(console, figures.warnings)


def aoi_report(console: Console, report: AoiReport) -> None:
    facts: dict[str, str] = {}
    facts["file"] = escape(report.path)
    if report.driver:
        facts["format"] = f"{report.driver}, layer {escape(report.layer or '-')}"
    if report.crs:
        facts["CRS"] = _crs(report.crs)
    if report.area_km2 is not None:
        facts["area"] = f"{report.area_km2:,.4f} km², {report.features} feature(s), {report.vertices:,} vertices"
    if report.bounds:
        facts["bounds"] = ", ".join(f"{degrees:.6f}" for degrees in report.bounds)
    if report.crosses_antimeridian:
        facts["crosses"] = "the antimeridian"
    if report.area_change_km2 is not None:
        facts["repair"] = f"changed the area by {report.area_change_km2:+.6f} km²"
    print_facts(console, facts)
    for finding in report.findings:
        colour = _SEVERITY[finding.severity]
        console.print(f"[{colour}]{finding.severity}[/{colour}] {escape(finding.message)} [dim]{finding.code}[/dim]")
    console.print("[green]usable[/green]" if report.valid else "[red]not usable[/red]")


def processes(console: Console, found: Sequence[ProcessInfo]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "what it is", "bands", "kind"):
        table.add_column(heading, overflow="fold")
    for each in found:
        if each.supported:
            table.add_row(each.name, escape(each.long_name), ", ".join(each.bands), each.domain or each.kind)
    console.print(table)


def process(console: Console, info: ProcessInfo) -> None:
    facts: dict[str, str] = {}
    facts["name"] = f"{info.name}: {escape(info.long_name)}"
    for label, value in (
        ("formula", info.formula),
        ("letters", ", ".join(f"{letter} = {band}" for letter, band in info.symbols.items())),
        ("bands", ", ".join(info.bands)),
        ("constants", ", ".join(f"{letter} = {number:g}" for letter, number in info.constants.items())),
        ("parameters", ", ".join(f"{name} = {value}" for name, value in info.parameters.items())),
        ("domain", info.domain),
        ("reference", info.reference),
        ("note", info.note),
    ):
        if value:
            facts[label] = escape(value)
    print_facts(console, facts)


def validation(console: Console, found: Validation) -> None:
    facts: dict[str, str] = {}
    facts["file"] = escape(found.path)
    facts["levels"] = ", ".join(f"{cols} x {rows}" for rows, cols in found.levels)
    facts["blocks"] = f"{found.blocks:,}, {found.sparse_blocks:,} of them empty"
    print_facts(console, facts)
    for check in found.checks:
        faults = [fault for fault in found.faults if fault.check == check]
        console.print(f"[red]✗[/red] {check}" if faults else f"[green]✓[/green] {check}")
        for fault in faults:
            console.print(f"  {escape(fault.message)}")


def size(nbytes: int) -> str:
    """Bytes in the unit that suits them."""
    amount = float(nbytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.3g} TB"


def print_facts(console: Console, facts: Mapping[str, str]) -> None:
    """One line each, never folded: paths can be copied, lines be searched."""
    width = max(map(len, facts))
    for label, fact in facts.items():
        console.print(f"[bold]{label:<{width}}[/bold]  {fact}")


def _warnings(console: Console, warnings: Sequence[str]) -> None:
    for warning in warnings:
        console.print(f"[yellow]warning[/yellow] {escape(warning)}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f", … ({len(names)} in all)" if len(names) > 8 else "")


def _no_data(done: Exported) -> str:
    spec = done.plan.cog
    return "with a mask" if spec.masked else f"nodata {spec.nodata:g}"


def _crs(text: str) -> str:
    return text if len(text) < 40 else text.split('"')[1]


def seconds(time: float) -> str:
    """Time in the unit that suits it."""
    if time < 90:
        return f"{time:.0f} s"
    return f"{time / 60:.0f} min" if time < 5400 else f"{time / 3600:.1f} h"
