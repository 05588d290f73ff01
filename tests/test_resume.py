"""What is finished is used again, what has changed is not, and what is damaged is noticed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio.shutil
from affine import Affine

from tests.support.cli import cutline, exported
from tests.support.scenes import UTM33, read, texture, write_scene

SHAPE = (1, 700, 480)
EAST = UTM33 @ Affine.translation(530, 0)
"""Far enough from the western scene that no tile has both"""


@pytest.fixture
def scenes(tmp_path: Path) -> tuple[Path, Path]:
    """Two scenes side by side: with tiles of 512 pixels, two tiles each."""
    west = write_scene(tmp_path / "west.tif", texture(SHAPE))
    east = write_scene(tmp_path / "east.tif", texture(SHAPE, seed=3), transform=EAST)
    return west, east


def run(scenes: tuple[Path, ...], out: Path, *options: object) -> dict:
    named = [argument for scene in scenes for argument in ("--scene", scene)]
    return exported(*named, "--tile-size", 512, "--resampling", "nearest", *options, "-o", out)


def test_a_work_folder_serves_every_export_with_the_same_tiles(tmp_path: Path, scenes: tuple[Path, Path]) -> None:
    work = ("--work", tmp_path / "work")
    first = run(scenes, tmp_path / "first.tif", *work)
    assert (first["tiles"], first["tiles_reused"]) == (4, 0)
    second = run(scenes, tmp_path / "second.tif", *work, "--workers", 2)
    assert (second["tiles"], second["tiles_reused"]) == (4, 4)
    assert (tmp_path / "first.tif").read_bytes() == (tmp_path / "second.tif").read_bytes()
    west_only = run(scenes[:1], tmp_path / "west_only.tif", *work)
    assert west_only["tiles"] == 2
    other_pixels = run(scenes, tmp_path / "other.tif", *work, "--resampling", "bilinear")
    assert other_pixels["tiles_reused"] == 0


def test_only_tiles_of_a_changed_scene_are_rendered_again(tmp_path: Path, scenes: tuple[Path, Path]) -> None:
    _, east = scenes
    out, work = tmp_path / "out.tif", ("--work", tmp_path / "work")
    run(scenes, out, *work)
    os.utime(east, (1, 1))
    assert run(scenes, out, *work)["tiles_reused"] == 2
    write_scene(east, np.full(SHAPE, 77, "uint8"), transform=EAST)
    assert run(scenes, out, *work)["tiles_reused"] == 2
    values, valid = read(out)
    assert (values[0, :700, 530:1010] == 77).all()
    np.testing.assert_array_equal(values[0, :700, :480], texture(SHAPE)[0])
    assert valid.sum() == 2 * 700 * 480


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _garble(path: Path) -> None:
    path.write_bytes(b"\xff{ no json")


def _rename_key(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"key": "another"}))


def _forget_segments(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"segments": []}))


DAMAGE = {
    "receipt cut short": ("receipt.json", _cut),
    "receipt garbled": ("receipt.json", _garble),
    "receipt emptied": ("receipt.json", lambda path: path.write_bytes(b"")),
    "receipt of another tile": ("receipt.json", _rename_key),
    "receipt without segments": ("receipt.json", _forget_segments),
    "receipt gone": ("receipt.json", Path.unlink),
    "segment cut short": ("0.segment", _cut),
    "segment gone": ("0.segment", Path.unlink),
    "apex cut short": ("apex.npz", _cut),
    "apex gone": ("apex.npz", Path.unlink),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_tile_is_rendered_again(tmp_path: Path, scenes: tuple[Path, Path], case: str) -> None:
    out, work = tmp_path / "out.tif", tmp_path / "work"
    run(scenes, out, "--work", work)
    expected = out.read_bytes()
    name, damage = DAMAGE[case]
    damage(sorted(work.glob(f"*/{name}"))[0])
    assert run(scenes, out, "--work", work)["tiles_reused"] == 3
    assert out.read_bytes() == expected


def test_a_failed_export_goes_on_where_it_was_and_tidies_up(tmp_path: Path, scenes: tuple[Path, Path]) -> None:
    west, plain = scenes
    east, out = tmp_path / "header_first.tif", tmp_path / "out.tif"
    rasterio.shutil.copy(plain, east, driver="COG", overviews="NONE", blocksize=128)
    status, whole = east.stat(), east.read_bytes()
    expected = run((west, east), tmp_path / "expected.tif")
    east.write_bytes(whole[: len(whole) // 2])
    os.utime(east, ns=(status.st_atime_ns, status.st_mtime_ns))
    command = ("export", "--scene", west, "--scene", east, "--tile-size", 512, "--resampling", "nearest")
    ran = cutline(*command, "--workers", 1, "-o", out)
    assert ran.code == 1
    assert not out.exists()
    east.write_bytes(whole)
    os.utime(east, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = cutline(*command, "--workers", 1, "-o", out, "--json").report
    assert done["tiles_reused"] == 1
    assert done["checksum"] == expected["checksum"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "east.tif", "expected.json", "expected.tif", "header_first.tif", "out.json", "out.tif", "west.tif"
    ]  # fmt: skip
