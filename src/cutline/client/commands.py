"""The commands that speak to a service."""

from __future__ import annotations

import itertools
import json
import shlex
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from cutline.client import oauth, show
from cutline.client.api import Api, path_of
from cutline.client.body import body_of
from cutline.client.download import Expected, download
from cutline.client.session import Logins
from cutline.errors import InvalidRequest
from cutline.options import OutPath, wanted_options
from cutline.show import size

FAILED, INTERRUPTED = 1, 130
ENDED = frozenset({"SUCCESS", "ERROR", "CANCELLED"})
STATUSES = ("PENDING", "SUBMITTED", "RENDERING", "DELIVERING", "SUCCESS", "ERROR", "CANCELLED")
PAGE = 100

out, err = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)

_url = click.option("--url", envvar="CUTLINE_URL", help="The service. Default: the one signed in to last.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_every = click.option(
    "--every", type=click.FloatRange(0), default=3.0, metavar="SECONDS", help="Ask again after so long. [3]"
)


def _api(url: str | None) -> Api:
    logins = Logins()
    return Api(logins.url(url), logins)


@click.command()
@_url
@click.option("--client-id", envvar="CUTLINE_CLIENT_ID", help="Of a machine, which signs in without a person.")
@click.option("--client-secret", envvar="CUTLINE_CLIENT_SECRET", help="Its secret; better kept in the environment.")
@click.option("--no-browser", is_flag=True, help="Print the address to open instead of opening it.")
def login(url: str | None, client_id: str | None, client_secret: str | None, no_browser: bool) -> None:
    """Sign in to a service.

    \b
    cutline login --url https://exports.example.org

    The browser comes back to port 8765 of this machine; over SSH, forward that (ssh -L 8765:localhost:8765 …).
    """
    if (client_id is None) != (client_secret is None):
        raise InvalidRequest("--client-id and --client-secret go together: a machine signs in with both")
    logins = Logins()
    service = logins.url(url)
    config = oauth.discover(service)
    if client_id is not None and client_secret is not None:
        made = oauth.sign_in_machine(config, client_id, client_secret)
    else:
        made = oauth.sign_in(config, _print_address if no_browser else _open_browser)
    logins.keep(service, made, latest=True)
    out.print(f"signed in to {escape(service)}")


def _print_address(address: str) -> None:
    err.print("open this address in a browser of this machine:", markup=False)
    click.echo(address, err=True)


def _open_browser(address: str) -> None:
    if not webbrowser.open(address):
        _print_address(address)


@click.command()
@_url
@wanted_options
@click.option("--name", help="What the file is called, without suffix.")
@click.option("--email", is_flag=True, help="Have a mail sent at the end.")
@click.option("--max-cost", type=float, metavar="USD", help="Begin no new tile once so much Lambda time is billed.")
@click.option("--idempotency-key", metavar="TEXT", help="The same key never makes a second export.")
@click.option("--wait", "wait_for", is_flag=True, help="Wait for the end.")
@click.option("--download", "target", type=OutPath(), metavar="FILE", help="Wait, and write the COG here.")
@_every
def submit(
    url: str | None, idempotency_key: str | None, wait_for: bool, target: Path | None, every: float, **options: Any
) -> None:
    """Have a service make an export, and print its id.

    \b
    cutline submit --aoi parcel.zip --scene https://example.org/item.json --process ndvi \\
        --resolution 10 --download ndvi.tif

    The same request within a day is the same export.
    """
    service_fields = {
        "name": options.pop("name"),
        "notify": {"email": True} if options.pop("email") else None,
        "max_cost": options.pop("max_cost"),
    }
    as_json = options.pop("as_json")
    body = body_of(options, **service_fields)
    api = _api(url)
    view = api.post("/exports", body, {"Idempotency-Key": idempotency_key} if idempotency_key else None)
    if wait_for or target is not None:
        if not as_json:
            err.print(f"export {view['export_id']}")
        view = _wait(api, view["export_id"], every)
    _finish(api, view, target, as_json=as_json, waited=wait_for or target is not None)


@click.command()
@_url
@click.argument("export_id", metavar="[ID]", required=False)
@click.option("--status", "wanted", type=click.Choice(STATUSES), help="Only those.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, help="How many of the latest. [20]")
@_json
def status(url: str | None, export_id: str | None, wanted: str | None, limit: int, as_json: bool) -> None:
    """Show an export, or list the latest."""
    api = _api(url)
    if export_id is not None:
        _show(api.get(path_of(export_id)), show.export, as_json=as_json)
        return
    views = list(itertools.islice(_all(api, wanted, limit), limit))
    _show(views, show.exports, as_json=as_json)


def _all(api: Api, wanted: str | None, limit: int) -> Iterator[Any]:
    asked: dict[str, Any] = {"limit": min(limit, PAGE), **({"status": wanted} if wanted else {})}
    while True:
        page = api.get("/exports", **asked)
        yield from page["exports"]
        if not page.get("cursor"):
            return
        asked["cursor"] = page["cursor"]


@click.command()
@_url
@click.argument("export_id", metavar="ID")
@click.option("--download", "target", type=OutPath(), metavar="FILE", help="Write the COG here, when it is done.")
@_every
@_json
def wait(url: str | None, export_id: str, target: Path | None, every: float, as_json: bool) -> None:
    """Wait for the end of an export; the exit code is 0 for SUCCESS, else 1."""
    api = _api(url)
    _finish(api, _wait(api, export_id, every), target, as_json=as_json, waited=True)


@click.command("download")
@_url
@click.argument("export_id", metavar="ID")
@click.option("-o", "--out", "target", type=OutPath(), help="The COG to write. Default: by the export's name.")
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but errors.")
def download_command(url: str | None, export_id: str, target: Path | None, quiet: bool) -> None:
    """Write an export's COG; stopped half-way, the same command goes on.

    Its checksum is compared with the one that the service knows.
    """
    api = _api(url)
    if target is None:
        view = api.get(path_of(export_id))
        target = Path(f"{Path(str(view.get('name') or export_id)).name}.tif")
    done = _download(api, export_id, target, quiet=quiet)
    if not quiet:
        out.print(f"{escape(str(target))}, {size(done.nbytes)}, checksum right")


@click.command()
@_url
@click.argument("export_id", metavar="ID")
@_json
def cancel(url: str | None, export_id: str, as_json: bool) -> None:
    """Stop an export."""
    _show(_api(url).cancel(export_id), show.export, as_json=as_json)


@click.command()
@_url
@click.argument("export_id", metavar="ID")
@_json
def audit(url: str | None, export_id: str, as_json: bool) -> None:
    """Show what happened to an export: who, what, when."""
    _show(_api(url).get(f"{path_of(export_id)}/audit"), show.audit, as_json=as_json)


def _wait(api: Api, export_id: str, every: float) -> Any:
    """The export at its end."""
    with _stopped(f"stopped waiting; the export goes on: cutline wait {export_id}"), show.waiting(err) as report:
        while True:
            view = api.get(path_of(export_id))
            report(view)
            if view["status"] in ENDED:
                return view
            api.pause(every)


def _finish(api: Api, view: Any, target: Path | None, *, as_json: bool, waited: bool) -> None:
    """Download what there is to download, and say what came of an export."""
    succeeded = view["status"] == "SUCCESS"
    if target is not None and succeeded:
        _download(api, view["export_id"], target, quiet=as_json)
    _show(view, show.export, as_json=as_json)
    if target is not None and succeeded and not as_json:
        out.print(f"[bold]file[/bold]    {escape(str(target))}")
    if waited and not succeeded:
        raise SystemExit(FAILED)


def _download(api: Api, export_id: str, target: Path, *, quiet: bool) -> Expected:
    words = f"stopped; to go on: cutline download {export_id} --out {shlex.quote(str(target))}"
    with _stopped(words), nullcontext(_nothing) if quiet else show.downloading(err) as report:
        return download(api, export_id, target, report)


@contextmanager
def _stopped(words: str) -> Iterator[None]:
    """At a Ctrl-C, these words."""
    try:
        yield
    except KeyboardInterrupt:
        err.print(escape(words))
        sys.exit(INTERRUPTED)


def _nothing(there: int, nbytes: int) -> None:
    """Report to nobody."""


def _show(told: Any, how: Callable[[Console, Any], None], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        how(out, told)


COMMANDS = {command.name: command for command in (login, submit, status, wait, download_command, cancel, audit)}
