"""What the commands of the client show in a terminal. Programs use the JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from cutline.client.download import Report
from cutline.show import print_facts, seconds, size

COLOURS = {"SUCCESS": "green", "ERROR": "red", "CANCELLED": "yellow"}

ID_LETTERS = 24
WIDEST = 1000
"""Letters of a line of a list, where no terminal cuts it off"""

View = Mapping[str, Any]
"""An export as the API shows it. A field that an older or newer service has not is left out."""


def export(console: Console, view: View) -> None:
    facts = {
        "export": view["export_id"],
        "name": escape(str(view.get("name") or "")),
        "status": _status(view),
        "created": str(view.get("created_at") or ""),
        "tiles": _tiles(view),
        "pixels": f"{view['pixels']:,} inside the area" if view.get("pixels") else "",
        "size": size(view["result"]["nbytes"]) if view.get("result") else "",
        "attempt": str(view["attempt"]) if view.get("attempt", 1) > 1 else "",
    }
    print_facts(console, {label: fact for label, fact in facts.items() if fact})
    for warning in view.get("warnings") or ():
        console.print(f"[yellow]warning[/yellow] {escape(warning)}")
    if error := view.get("error"):
        console.print(f"[red]{escape(error['code'])}[/red]: {escape(error['message'])}")


def exports(console: Console, views: Sequence[View]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("export", no_wrap=True, min_width=ID_LETTERS)  # an id in two pieces cannot be copied
    for heading in ("status", "created", "tiles", "size", "name"):
        table.add_column(heading, overflow="fold")
    for view in views:
        nbytes = (view.get("result") or {}).get("nbytes")
        table.add_row(
            view["export_id"],
            _status(view),
            str(view.get("created_at") or "")[:16].replace("T", " "),
            _tiles(view),
            size(nbytes) if nbytes else "",
            escape(str(view.get("name") or "")),
        )
    if not console.is_terminal:  # programs and files have no width
        table.width = console.measure(table, options=console.options.update(max_width=WIDEST)).maximum
    console.print(table)


def audit(console: Console, told: View) -> None:
    """One line an event, in the order of time."""
    several = len({event.get("attempt") for event in told["events"]}) > 1
    for event in told["events"]:
        details = event.get("details") or {}
        line = f"[dim]{str(event['at'])[:23].rstrip('Z').replace('T', ' ')}[/dim]  "
        line += f"attempt {event['attempt']}: " if several else ""
        line += escape(str(event["what"]))
        line += f" by {escape(str(event['by']))}" if event.get("by") else ""
        line += f" [dim]after {details['seconds']:.1f} s[/dim]" if details.get("seconds") else ""
        if error := details.get("error"):
            line += f": [red]{escape(str(error.get('code')))}[/red] {escape(str(error.get('message')))}"
        console.print(line)


@contextmanager
def waiting(console: Console) -> Iterator[Any]:
    """A bar with percent and time left; yields what to call with each view of an export."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=100, left="")

        def report(view: View) -> None:
            eta = view.get("eta_seconds")
            left = "" if eta is None else f"{seconds(eta)} left"
            bar.update(task, description=view["status"].lower(), completed=view.get("percent") or 0, left=left)

        yield report


@contextmanager
def downloading(console: Console) -> Iterator[Report]:
    """A bar with bytes, rate and time left; yields what to call with (there, in all)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("downloading", total=None)

        def report(there: int, nbytes: int) -> None:
            bar.update(task, completed=there, total=nbytes)

        yield report


def _status(view: View) -> str:
    status = view["status"]
    colour = COLOURS.get(status, "cyan")
    percent = view.get("percent")
    running = f" {percent:.0f} %" if status not in COLOURS and percent is not None else ""
    return f"[{colour}]{status}[/{colour}]{running}"


def _tiles(view: View) -> str:
    tiles = view.get("tiles") or {}
    planned = tiles.get("planned")
    if planned is None:
        return ""
    failed = f", {tiles['failed']} failed" if tiles.get("failed") else ""
    return f"{tiles.get('done') or 0} of {planned}{failed}"
