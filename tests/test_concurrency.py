"""Exports at the same time: never two to one place, and any number that share a work folder."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from cutline.errors import Conflict, StorageError
from cutline.store.output import alone
from tests import test_robustness
from tests.support.cli import cutline
from tests.test_robustness import Export, Stalling

running, site = test_robustness.running, test_robustness.site
"""An export that stays half-way until its server goes on"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_second_export_to_the_same_place_is_refused_and_the_first_ends_well(running: Export, site: Stalling) -> None:
    running.half_way()
    before = names(running.out.parent)
    assert before == [".out.tif.cutline", ".out.tif.lock"]
    ran = cutline("export", *running.options, "-o", running.out)
    assert ran.code == 2
    assert ran.err == "conflict: another export to out.tif is running; wait for it or choose another name\n"
    assert names(running.out.parent) == before
    assert running.receipts() == 1
    site.gate.set()
    _, messages = running.process.communicate(timeout=test_robustness.DEADLINE)
    assert running.process.returncode == 0, messages
    assert names(running.out.parent) == ["out.json", "out.tif"]
    assert cutline("validate", running.out).code == 0


def test_the_lock_of_a_killed_export_keeps_nobody_out(running: Export, site: Stalling) -> None:
    running.half_way()
    running.process.kill()
    running.process.wait(test_robustness.DEADLINE)
    test_robustness.until(lambda: not running.processes())
    part = running.out.with_name(".out.tif.part")
    part.mkdir()
    (part / "out.tif").write_text("half of it")
    assert ".out.tif.lock" in names(running.out.parent)
    test_robustness.resumes(running, site, reused=1)


def test_exports_to_two_places_share_a_work_folder(tmp_path: Path, running: Export, site: Stalling) -> None:
    running.half_way()
    work, outs = tmp_path / "work", [tmp_path / "a.tif", tmp_path / "b.tif"]
    program = [sys.executable, "-m", "cutline.cli", "export", *map(str, running.options), "--workers", "1"]
    both = [
        subprocess.Popen([*program, "--work", work, "-o", out], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for out in outs
    ]
    for out in outs:
        test_robustness.until(out.with_name(f".{out.name}.lock").exists)
    site.gate.set()
    for process in both:
        _, messages = process.communicate(timeout=test_robustness.DEADLINE)
        assert process.returncode == 0, messages
    running.process.communicate(timeout=test_robustness.DEADLINE)
    assert outs[0].read_bytes() == outs[1].read_bytes() == running.out.read_bytes()
    assert work.is_dir()


def test_nothing_stays_after_an_export_that_fails(tmp_path: Path) -> None:
    out = tmp_path / "out" / "a.tif"
    out.parent.mkdir()
    ran = cutline("export", "--scene", tmp_path / "none.tif", "-o", out)
    assert ran.code == 2
    assert names(out.parent) == []


def test_one_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "a.tif"
    with alone(out), alone(tmp_path / "b.tif"):
        with pytest.raises(Conflict, match=r"another export to a\.tif is running"), alone(out):
            pass
        assert names(tmp_path) == [".a.tif.lock", ".b.tif.lock"]
    with alone(out):
        pass
    assert names(tmp_path) == []


def test_a_lock_removed_while_it_is_being_taken_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another export ends between our opening the file and our locking it."""
    out, flock, taken = tmp_path / "a.tif", fcntl.flock, []

    def late(handle: int, how: int) -> None:
        if not taken:
            (tmp_path / ".a.tif.lock").unlink()
        taken.append(handle)
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with alone(out), pytest.raises(Conflict), alone(out):
        pass
    assert len(taken) == 3


@pytest.mark.parametrize(("number", "works"), [(95, True), (5, False)])
def test_file_systems_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, works: bool) -> None:
    def refuses(handle: int, how: int) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(fcntl, "flock", refuses)
    if works:
        with alone(tmp_path / "a.tif"):
            pass
        assert names(tmp_path) == []
    else:
        with pytest.raises(StorageError, match=r"\.a\.tif\.lock cannot be written"), alone(tmp_path / "a.tif"):
            pass
