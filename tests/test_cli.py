"""What people and programs see: reports, exit codes, and one clear line for whatever cannot be done."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rich.console import Console

import cutline as cutline_package
from cutline import __version__, show
from cutline.commands import cutline as program
from cutline.options import request_of, request_options
from tests.support.cli import box, cutline, exported, write_aoi
from tests.support.scenes import texture, write_scene

INSIDE = box(400100, 5598900, 400600, 5599800)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene of uint16, areas, and files that are none of what they are given for."""
    folder = tmp_path_factory.mktemp("inputs")
    write_scene(folder / "scene.tif", texture((4, 120, 100), "uint16"))
    write_scene(folder / "classes.tif", np.full((1, 120, 100), 3, "uint8"), names=("scl",))
    write_aoi(folder / "area.geojson", *INSIDE)
    write_aoi(folder / "elsewhere.geojson", *box(500000, 5598900, 500500, 5599800))
    write_aoi(folder / "tiny.geojson", *box(400101, 5599801, 400103, 5599803))
    (folder / "garbage").write_bytes(b"\0garbage" * 100)
    (folder / "unknown.json").write_text(
        json.dumps({"a": {"process_id": "load_colection", "arguments": {"id": "x"}, "result": True}})
    )
    (folder / "empty.json").write_text("{}")
    return folder


REFUSED = {
    # what is wrong: (options, part of the message)
    "resolution 0": ("--resolution 0", "--resolution 0: it must be a number above 0"),
    "resolution -1": ("--resolution -1", "above 0"),
    "resolution nan": ("--resolution nan", "above 0"),
    "resolution inf": ("--resolution inf", "above 0"),
    "resolution in words": ("--resolution fine", "'fine' is not a valid float"),
    "a resolution no file can hold": ("--resolution 1e-9", "choose a coarser resolution"),
    "a resolution of degrees in metres": ("--resolution 0.0005", "choose a coarser resolution"),
    "unknown EPSG code": ("--crs EPSG:999999", "EPSG:999999"),
    "geocentric CRS": ("--crs EPSG:4978", "two horizontal axes"),
    "no CRS at all": ("--crs garbage", "'garbage'"),
    "vertical CRS": ("--crs EPSG:5773", "two horizontal axes"),
    "stretch upside down": ("--stretch 98,2", "the lower one first"),
    "stretch of one number": ("--stretch 2", "two percentiles"),
    "stretch beyond 100": ("--stretch 2,998", "between 0 and 100"),
    "stretch nan": ("--stretch nan,98", "between 0 and 100"),
    "unknown band": ("--bands red,nirr", "red, green, blue, nir"),
    "band without a name": ("--bands red,,blue", "red,green,blue"),
    "misspelt index": ("--process nvdi", "did you mean NDVI"),
    "index of bands that are not there": ("--process nbr", "swir22"),
    "code": ("--expression __import__('os')", "no function '__import__'"),
    "attributes": ("--expression red.__class__", "Attribute is not allowed"),
    "half an expression": ("--expression (red+", "Column"),
    "unknown band in an expression": ("--expression rad+1", "rad"),
    "graph that is no JSON": ("--graph garbage", "no JSON"),
    "graph of an unknown process": ("--graph unknown.json", "load_collection"),
    "graph without nodes": ("--graph empty.json", "graph"),
    "graph that is not there": ("--graph missing.json", "No such file"),
    "graph that is a folder": ("--graph .", "directory"),
    "colour of what": ("--color shine", "no colour operation 'shine'"),
    "tile size": ("--tile-size 500", "choose 512, 1024"),
    "tile size 0": ("--tile-size 0", "choose 512, 1024"),
    "no worker": ("--workers 0", "--workers"),
    "jpeg of uint16": ("--profile jpeg --bands red,green,blue", "profile jpeg holds uint8, not uint16"),
    "jpeg of four bands": ("--profile jpeg --dtype uint8", "1 or 3 bands, not 4"),
    "webp of one band": ("--profile webp --dtype uint8 --bands red", "3 bands, not 1"),
    "jpeg with nodata": ("--profile jpeg --dtype uint8 --bands red --nodata 0", "mask"),
    "a level too high": ("--profile zstd --level 23", "profile zstd has no level 23; choose 1 to 22"),
    "unknown profile": ("--profile gif", "'gif' is not one of"),
    "unknown dtype": ("--dtype complex64", "'complex64' is not one of"),
    "nodata that does not fit": ("--dtype uint8 --nodata 300", "nodata 300 is no uint8"),
    "nodata between integers": ("--nodata 0.5", "nodata 0.5 is no uint16"),
    "nodata nan in integers": ("--nodata nan", "nodata nan is no uint16"),
    "scale for floats": ("--process ndvi --scale 0.0001", "--dtype int16"),
    "scale 0": ("--dtype int16 --scale 0", "above 0"),
    "offset nan": ("--dtype int16 --offset nan", "must be a number"),
    "mask without values": ("--mask-asset scl", "go together"),
    "mask values without an asset": ("--mask-values 3", "go together"),
    "mask values in words": ("--mask-asset nir --mask-values cloud", "no mask value"),
    "unknown mask": ("--mask-asset scl --mask-values 3", "no mask scl; it has red, green, blue, nir"),
    "scene missing": ("--scene missing.tif", "there is no such file"),
    "scene that is a folder": ("--scene .", "folder"),
    "scene that is no image": ("--scene garbage", "garbage"),
    "scene of GDAL's own": ("--scene /vsimem/x.tif", "virtual files"),
    "scene by a strange way": ("--scene ftp://host/x.tif", "ftp:// is not read"),
    "empty scene": ("--scene=", "a scene is empty"),
    "band files that are not there": ("--scene red=missing.tif", "there is no such file"),
    "scenes without a common band": ("--scene classes.tif", "scl"),
    "band names, one short": ("--band-names red,green,blue", "4 bands, but 3 names"),
    "two ways to say what to compute": ("--process ndvi --bands red", "--bands and --process both say"),
    "a grid and a CRS": ("--like scene.tif --crs EPSG:3857", "--like already says"),
    "a grid and a resolution": ("--like scene.tif --resolution 5", "--like already says"),
    "a grid that is not there": ("--like missing.tif", "--like missing.tif: there is no such file (/output/geobox)"),
    "a grid of no image": ("--like garbage", "invalid-request: --like garbage: "),
    "a grid by a strange way": ("--like ftp://host/x.tif", "--like ftp://host/x.tif: ftp:// is not read"),
    "a grid in a bucket without a key": ("--like s3://bucket", "--like s3://bucket: s3://bucket names no file"),
    "area in a bucket": ("--aoi s3://bucket/area.gpkg", "s3://bucket/area.gpkg: local paths only"),
    "area beside the scenes": ("--aoi elsewhere.geojson", "no scene touches the area"),
    "area between pixel centres": ("--aoi tiny.geojson", "no pixel centre"),
    "area that is not there": ("--aoi missing.geojson", "missing.geojson"),
    "area that is no vector file": ("--aoi garbage", "of no format known here"),
    "area without that layer": ("--aoi area.geojson --layer fields", "fields"),
    "area by a strange filter": ("--aoi area.geojson --where ((", "the filter '((' cannot be applied"),
    "area in no CRS": ("--aoi area.geojson --aoi-crs EPSG:999999", "EPSG:999999"),
    "time in words": ("--datetime yesterday", "START/END"),
    "times in words": ("--datetime yesterday/today", "'yesterday' is not a time"),
    "end before start": ("--datetime 2024-06-02/2024-06-01", "2024-06-02/2024-06-01: it ends before it begins"),
    "newest of undated scenes": ("--mosaic newest", "no datetime"),
    "least cloudy of unknown ones": ("--mosaic least-cloud", "no cloud cover"),
    "unknown mosaic": ("--mosaic best", "'best' is not one of"),
    "unknown resampling": ("--resampling lanczos", "'lanczos' is not one of"),
    "unknown option": ("--colour", "--colour"),
    "a word too many": ("scene.tif", "unexpected extra argument"),
}


@pytest.mark.parametrize("command", ["export", "estimate"])
@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_option_is_one_line_and_exit_code_2(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, case: str
) -> None:
    monkeypatch.chdir(folder)
    options, message = REFUSED[case]
    before = sorted(folder.iterdir())
    out = ("-o", "out.tif") if command == "export" else ()
    ran = cutline(command, "--scene", "scene.tif", *options.split(), *out)
    assert ran.code == 2, ran
    assert ran.out == ""
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert ": " in ran.err
    assert "Traceback" not in ran.err
    assert sorted(folder.iterdir()) == before


PLACES = {
    "a folder": ("taken", "is a folder"),
    "a folder that is missing": ("missing/out.tif", "there is no folder missing"),
    "in a file": ("scene.tif/out.tif", "there is no folder"),
    "the item's name": ("out.json", "an export writes GeoTIFF; name it out.tif"),
    "another format": ("out.JP2", "an export writes GeoTIFF; name it out.tif"),
    "standard output": ("-", "name a file"),
    "a bucket": ("s3://bucket/out.tif", "s3://bucket/out.tif: local paths only"),
    "the scene": ("scene.tif", "scene.tif is read by this export"),
    "the scene by another name": ("link.tif", "link.tif is read by this export"),
    "some other file": ("notes.txt", "not a TIFF"),
    "beside the area, which has the item's name": ("field.tif", "field.json, where the STAC item goes"),
    "the null device": ("/dev/null", "not a TIFF"),
    "where nobody can write": ("/proc/out.tif", "cannot be written to"),
}


@pytest.mark.parametrize("case", PLACES)
def test_an_export_destroys_nothing_and_knows_at_once_where_it_cannot_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_scene(Path("scene.tif"), texture((1, 20, 20)))
    Path("link.tif").symlink_to("scene.tif")
    Path("taken").mkdir()
    Path("notes.txt").write_text("mine")
    area = write_aoi(Path("field.json"), *INSIDE)
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    where, message = PLACES[case]
    ran = cutline("export", "--scene", "scene.tif", "--aoi", area, "-o", where)
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before


def test_an_export_again_replaces_file_and_item(tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    for value in (1, 2):
        scene = write_scene(tmp_path / f"{value}.tif", np.full((1, 20, 20), value, "uint8"))
        exported("--scene", scene, "-o", out)
        assert cutline("validate", out).code == 0
    with rasterio.open(out) as file:
        assert (file.read() == 2).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.tif", "2.tif", "out.json", "out.tif"]


def test_json_is_one_document_and_quiet_says_nothing(folder: Path, tmp_path: Path) -> None:
    finer = ("--scene", folder / "scene.tif", "--resolution", 7, "--process", "ndvi")  # which brings a warning
    ran = cutline("export", *finer, "-o", tmp_path / "out.tif", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert "finer than the scenes'" in ran.report["warnings"][0]
    assert ran.report["href"] == str(tmp_path / "out.tif")
    assert ran.report["nbytes"] == (tmp_path / "out.tif").stat().st_size
    assert ran.report["bands"] == ["ndvi"]
    assert cutline("export", *finer, "-o", tmp_path / "quiet.tif", "--quiet") == (0, "", "")
    both = cutline("export", *finer, "-o", tmp_path / "both.tif", "--quiet", "--json")
    assert both.report["bands"] == ["ndvi"]
    spoken = cutline("export", *finer, "-o", tmp_path / "spoken.tif")
    assert spoken.err == ""  # no progress bar where nobody watches
    assert str(tmp_path / "spoken.tif") in spoken.out.splitlines()[0]
    assert "warning resolution 7 is finer" in spoken.out
    refused = cutline("export", *finer, "--crs", "x", "-o", tmp_path / "none.tif", "--quiet", "--json")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("unsupported-crs: ")


def test_who_watches_sees_tiles_and_time_left() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    with show.progress(terminal) as report:
        report(1, 4)
        report(3, 4)
    seen = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "3/4" in seen
    assert "left" in seen


def test_a_three_dimensional_crs_means_its_two(folder: Path, tmp_path: Path) -> None:
    done = exported("--scene", folder / "scene.tif", "--crs", "EPSG:4979", "-o", tmp_path / "out.tif")
    assert done["crs"] == "EPSG:4326"


def test_errors_are_for_pipes_too(folder: Path, tmp_path: Path) -> None:
    """As another process sees it: streams apart, nothing from GDAL or Python among the lines."""
    program = [sys.executable, "-m", "cutline.cli", "export", "--scene", folder / "garbage", "-o", tmp_path / "x.tif"]
    ran = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("invalid-scene: ")
    assert ran.stderr.count("\n") == 1


def test_a_reader_that_leaves_early_is_no_error() -> None:
    program = f"{sys.executable} -m cutline.cli processes --json | head -c 100"
    ran = subprocess.run(program, shell=True, capture_output=True, text=True, check=False)  # noqa: S602
    assert len(ran.stdout) == 100
    assert ran.stderr == ""


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--aoi", "area.geojson"),
        ("--aoi", "area.geojson", "--crs", "EPSG:4326"),
        ("--process", "ndvi", "--resolution", 3),
        ("--resolution", 1.3, "--tile-size", 512, "--profile", "none", "--crs", "EPSG:3857"),
        ("--profile", "jpeg", "--level", 100, "--stretch", "2,98", "--bands", "red,green,blue"),
        ("--dtype", "float64", "--profile", "zstd", "--resolution", 2),
    ],
    ids=lambda options: " ".join(map(str, options)) or "as it is",
)
def test_an_estimate_is_what_the_export_will_be(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[object, ...]
) -> None:
    monkeypatch.chdir(folder)
    ran = cutline("estimate", "--scene", "scene.tif", *options, "--json")
    assert ran.code == 0, ran.err
    figures, done = ran.report, exported("--scene", "scene.tif", *options, "-o", tmp_path / "out.tif")
    assert [figures["rows"], figures["cols"]] == done["shape"]
    for exact in ("pixels", "tiles", "tile_edge", "dtype", "crs", "warnings"):
        assert figures[exact] == done[exact], exact
    assert figures["bytes_max"] >= (tmp_path / "out.tif").stat().st_size
    assert 0 < figures["seconds"]["low"] < figures["seconds"]["high"]
    assert 0 < figures["aws_cost_usd"]["low"] < figures["aws_cost_usd"]["high"]
    with rasterio.open(tmp_path / "out.tif") as file:
        inside = int((file.dataset_mask() > 0).sum())
    # The scene itself is a few pixels smaller than its footprint, which is drawn around it.
    assert inside <= figures["pixels"] <= 1.1 * inside + 50


def test_an_estimate_reads_headers_only(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", texture((2, 600, 600), "uint16"))
    header_first = tmp_path / "header_first.tif"
    rasterio.shutil.copy(scene, header_first, driver="COG", blocksize=128)
    whole = cutline("estimate", "--scene", header_first, "--json").report
    header_first.write_bytes(header_first.read_bytes()[:4096])
    assert cutline("estimate", "--scene", header_first, "--json").report == whole
    ran = cutline("export", "--scene", header_first, "-o", tmp_path / "out.tif", "--workers", 1)
    assert ran.code == 1
    assert "source-unavailable: tile (0, 0): scene header_first (" in ran.err
    assert ran.err.count("\n") == 1
    assert not list(tmp_path.glob("*out*"))


def test_aoi_check(tmp_path: Path) -> None:
    area = write_aoi(tmp_path / "area.geojson", *INSIDE)
    ran = cutline("aoi", "check", area)
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "usable"
    assert cutline("aoi", "check", area, "--json").report["area_km2"] == pytest.approx(0.45, rel=2e-3)


def test_aoi_check_repairs_a_bow_tie(tmp_path: Path) -> None:
    left, bottom, right, top = 400100, 5598900, 400600, 5599800
    bow_tie = ((left, bottom), (right, top), (right, bottom), (left, top))
    area, fixed = write_aoi(tmp_path / "bow-tie.geojson", *bow_tie), tmp_path / "fixed.geojson"
    ran = cutline("aoi", "check", area, "-o", fixed)
    assert ran.code == 2
    assert ran.out.splitlines()[-1] == "not usable"
    assert "longitude 13.5" in ran.out
    assert not fixed.exists()
    ran = cutline("aoi", "check", area, "--repair", "-o", fixed)
    assert ran.code == 0
    assert "changed the area by" in ran.out
    assert json.loads(fixed.read_text())["geometry"]["type"] == "MultiPolygon"
    assert cutline("aoi", "check", fixed).code == 0
    nowhere = cutline("aoi", "check", fixed, "-o", tmp_path / "missing" / "x.geojson")
    assert nowhere.code == 1
    assert nowhere.err.startswith("storage-error: ")


def test_processes() -> None:
    listed = cutline("processes")
    assert listed.code == 0
    assert "NDWI" in listed.out
    one = cutline("processes", "ndwi")
    for fact in ("Normalized Difference Water Index", "(G-N)/(G+N)", "green, nir", "https://doi.org/"):
        assert fact in one.out
    assert cutline("processes", "ndwi", "--json").report[0]["bands"] == ["green", "nir"]
    assert len(cutline("processes", "--json").report) > 200
    unknown = cutline("processes", "nvdi")
    assert (unknown.code, unknown.out) == (2, "")
    assert "ndvi" in unknown.err.lower()


def test_validate(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    exported("--scene", folder / "scene.tif", "-o", out)
    good = cutline("validate", out)
    assert good.code == 0
    assert good.out.splitlines()[-3:] == ["✓ structure", "✓ completeness", "✓ checksum"]
    out.write_bytes(out.read_bytes()[:-1000])
    cut = cutline("validate", out, "--json")
    assert cut.code == 1
    assert {fault["check"] for fault in cut.report["faults"]} == {"structure", "completeness", "checksum"}
    plain = cutline("validate", folder / "garbage")
    assert plain.code == 1
    assert cutline("validate", folder / "missing.tif").code == 2


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("2024-01-01/2024-01-01", ("2024-01-01", "2024-01-02")),
        ("2024-02-28T12:00:00Z/2024-02-28", ("2024-02-28T12:00:00Z", "2024-02-29")),
        ("2024-01-01/2024-01-02T00:00:00Z", ("2024-01-01", "2024-01-02T00:00:00Z")),
        ("../2024-12-31", (None, "2025-01-01")),
        ("2024-01-01/..", ("2024-01-01", None)),
        ("2024-01-01/9999-12-31", ("2024-01-01", None)),
    ],
)
def test_a_day_at_the_end_of_an_interval_is_in_it(text: str, interval: tuple[str | None, str | None]) -> None:
    command = click.command()(request_options(lambda **options: request_of(options)))
    request = command.main(["--scene", "a.tif", "--datetime", text], standalone_mode=False)
    assert request.source.temporal == interval


def test_every_option_that_our_words_name_is_there() -> None:
    context = click.Context(program)
    named_here = [program.get_command(context, name) for name in program.list_commands(context)]
    commands = [program, *named_here, *program.commands["aoi"].commands.values()]  # type: ignore[attr-defined]
    known = {name for command in commands for parameter in command.params for name in parameter.opts}
    known |= {"--help"}
    source = Path(cutline_package.__file__).parent
    named = {
        (path.name, option)
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", node.value)
    }
    assert len(named) > 20
    assert [(file, option) for file, option in sorted(named) if option not in known] == []


def test_help_and_version() -> None:
    assert cutline("--version").out == f"cutline, version {__version__}\n"
    alone = ("export", "estimate", "aoi", "aoi check", "processes", "validate")
    client = ("login", "submit", "status", "wait", "download", "cancel", "audit")
    for command in ("", *alone, *client):
        ran = cutline(*command.split(), "-h")
        assert ran.code == 0
        assert ran.out.startswith(f"Usage: cutline {command}".rstrip())
    without = cutline()
    assert without.code == 2
    assert "Commands:" in without.err
    assert cutline("export").code == 2
    assert cutline("exprot").err.startswith("invalid-request: ")
