"""The commands: each reads options, calls the library, shows what comes of it.

cutline export     request -> plan -> tiles -> one COG           (export.py)
cutline estimate   request -> plan -> figures                    (estimate.py)
cutline aoi check  a vector file -> findings                     (aoi/)
cutline processes  what can be computed                          (process/catalogue.py)
cutline validate   a COG -> faults                               (cog/validate.py)
cutline serve      the service on this machine                   (local/, beside the library)
cutline login, submit, status, wait, download, cancel, audit: of a service, imported when called (client/)
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from cutline import __version__, show
from cutline.aoi import check_aoi
from cutline.cog.validate import validate as validate_cog
from cutline.errors import CutlineError, InvalidRequest
from cutline.estimate import estimate as estimate_plan
from cutline.export import export as run_export
from cutline.export import plan_request
from cutline.options import LocalPath, OutPath, request_of, request_options, tile_edge_of
from cutline.process import describe_process, list_processes
from cutline.store.workspace import writing

_INVALID, _FAILED = 2, 1

out, err = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)


CLIENT = ("login", "submit", "status", "wait", "download", "cancel", "audit")


class _Program(click.Group):
    """Those that need no service come at once, the client's when they are asked for: an export has no use for them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *CLIENT]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in CLIENT:
            return super().get_command(ctx, cmd_name)
        from cutline.client.commands import COMMANDS  # noqa: PLC0415

        return COMMANDS[cmd_name]


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="cutline")
def cutline() -> None:
    """Cut any area out of satellite or aerial imagery into one Cloud-Optimized GeoTIFF."""


@cutline.command()
@request_options
@click.option("-o", "--out", "target", required=True, type=OutPath(), help="The COG to write.")
@click.option("--work", type=LocalPath(), help="Keep finished tiles here, for other exports too.")
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but errors.")
def export(target: Path, work: Path | None, quiet: bool, **options: Any) -> None:
    """Write one COG, and its STAC item beside it.

    \b
    cutline export --aoi parcel.zip --scene east.tif --scene west.tif --process ndvi \\
        --crs EPSG:3857 --resolution 10 -o ndvi.tif

    Stopped half-way, the same command goes on where it was.
    """
    request, edge = request_of(options), tile_edge_of(options)
    silent = quiet or options["as_json"]
    bar: AbstractContextManager[Any] = nullcontext() if silent else show.progress(err)
    with bar as report:
        done = run_export(request, target, workers=options["workers"], edge=edge, work=work, progress=report)
    if options["as_json"]:
        _print_json(show.export_report(done))
    elif not quiet:
        show.exported(out, done)


@cutline.command()
@request_options
def estimate(**options: Any) -> None:
    """Say what an export will take; reads headers only."""
    plan = plan_request(request_of(options), edge=tile_edge_of(options), statistics=False)
    figures = estimate_plan(plan, options["workers"])
    if options["as_json"]:
        _print_json(figures.model_dump(mode="json"))
    else:
        show.estimate(out, figures)


@cutline.group()
def aoi() -> None:
    """Areas of interest."""


@aoi.command("check")
@click.argument("file", type=LocalPath())
@click.option("--layer", help="Which layer.")
@click.option("--where", help="Which features, such as \"name = 'North field'\".")
@click.option("--aoi-crs", "crs", help="The CRS, where the file does not say.")
@click.option("--repair", is_flag=True, help="Repair what can be repaired, and say what changed.")
@click.option("-o", "--out", "target", type=LocalPath(), help="Write the area as GeoJSON.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON report.")
def check(file: Path, target: Path | None, as_json: bool, **how: Any) -> None:
    """Read an area, and say what is right and wrong with it."""
    area, report = check_aoi(file, **how)
    if as_json:
        _print_json(report.model_dump(mode="json"))
    else:
        show.aoi_report(out, report)
    if area is None:
        raise SystemExit(_INVALID)
    if target is not None:
        feature = {"type": "Feature", "properties": {"source": file.name}, "geometry": area.to_geojson()}
        with writing(target):
            target.write_text(json.dumps(feature) + "\n")


@cutline.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def processes(name: str | None, as_json: bool) -> None:
    """List what can be computed, or explain one process."""
    found = (describe_process(name),) if name else list_processes()
    if as_json:
        _print_json([each.model_dump(mode="json") for each in found])
    elif name:
        show.process(out, found[0])
    else:
        show.processes(out, found)


@cutline.command()
@click.argument("file", type=LocalPath())
@click.option("--item", type=LocalPath(), help="Its STAC item. Default: the .json beside it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON report.")
def validate(file: Path, item: Path | None, as_json: bool) -> None:
    """Check a COG: its structure, that it is complete, its checksum against its item."""
    found = validate_cog(file, item)
    if as_json:
        _print_json(found.model_dump(mode="json"))
    else:
        show.validation(out, found)
    if not found.valid:
        raise SystemExit(_FAILED)


@cutline.command()
@click.option("--port", type=int, default=8000, show_default=True, help="0 for any that is free.")
@click.option("--data", type=LocalPath(), help="Keep exports in this folder from one start to the next.")
@click.option("--scenes", type=LocalPath(), help="Offer the rasters of this folder, besides the sample scenes.")
def serve(port: int, data: Path | None, scenes: Path | None) -> None:
    """Run the whole service on this machine."""
    checkout = Path(__file__).parents[2]
    if not (checkout / "local" / "__main__.py").is_file():
        raise InvalidRequest("the local service comes with the source alone: clone that, and install it with pip -e")
    words = ["--port", str(port)]
    words += [word for name, path in (("--data", data), ("--scenes", scenes)) if path for word in (name, str(path))]
    sys.path.insert(0, str(checkout))  # local/ is a program beside the library, and no part of it
    importlib.import_module("local.__main__").main(words)


def _print_json(report: Any) -> None:
    click.echo(json.dumps(report, indent=2, allow_nan=False))


def run() -> None:
    """Run the command that ``sys.argv`` names; our own errors become one line and an exit code."""
    try:
        cutline(prog_name="cutline", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(_INVALID)
    except click.ClickException as error:
        _print_error(InvalidRequest(error.format_message()))
        sys.exit(_INVALID)
    except click.Abort as stopped:  # what click makes of a Ctrl-C
        raise KeyboardInterrupt from stopped
    except CutlineError as error:
        _print_error(error)
        sys.exit(_INVALID if isinstance(error, InvalidRequest) else _FAILED)
    except BrokenPipeError:  # as with `cutline processes | head`: nobody listens any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_FAILED)


def _print_error(error: CutlineError) -> None:
    """One line: a message may quote what has several."""
    where = f" [dim]({escape(error.pointer)})[/dim]" if error.pointer else ""
    err.print(f"[red]{error.code}[/red]: {escape(' '.join(error.message.split()))}{where}")
