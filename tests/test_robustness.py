"""Whatever happens in the middle, the place of the output holds what it held before, and the same command goes on."""

from __future__ import annotations

import http.server
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import rasterio.shutil
from affine import Affine

from cutline.errors import SourceUnavailable
from cutline.export import export, plan_request, render_tiles
from cutline.store.output import undisturbed
from cutline.store.workspace import Folder
from tests.support.cli import cutline, exported
from tests.support.scenes import UTM33, make_request, texture, write_scene

SHAPE = (1, 700, 480)
EAST = UTM33 @ Affine.translation(530, 0)
DEADLINE = 60
"""Seconds until a test gives up; nothing takes as long"""
PAGE = 1 << 16
"""Bytes that a header is read by"""


def until(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for ``condition``, which a running ``process`` has to bring about."""
    give_up = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < give_up, "it never came about"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.01)


class Stalling:
    """A web server that serves a file's header, but none of its pixels until ``gate`` is open."""

    def __init__(self, content: bytes) -> None:
        self.gate = threading.Event()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                first, last = map(int, re.findall(r"\d+", self.headers.get("Range", "bytes=0-0")))
                if first >= PAGE:
                    site.gate.wait(DEADLINE)
                piece = content[first : last + 1]
                self.send_response(206)
                self.send_header("Content-Length", str(len(piece)))
                self.send_header("Content-Range", f"bytes {first}-{first + len(piece) - 1}/{len(content)}")
                self.send_header("ETag", '"one"')
                self.end_headers()
                self.wfile.write(piece)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign] # who asked may be gone
        self.url = f"http://127.0.0.1:{self._server.server_port}/east.tif"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()


class Export:
    """An export in processes of its own: two tiles from a file, two from a server that stalls."""

    def __init__(self, folder: Path, site: Stalling) -> None:
        self.folder, self.out = folder, folder / "out" / "out.tif"
        self.out.parent.mkdir()
        west = write_scene(folder / "west.tif", texture(SHAPE))
        self.options = ("--scene", west, "--scene", site.url, "--tile-size", 512, "--resampling", "nearest")
        program = [sys.executable, "-m", "cutline.cli", "export", *map(str, self.options), "--workers", "2"]
        self.process = subprocess.Popen(
            [*program, "-o", self.out],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def processes(self) -> dict[int, str]:
        """Those alive, with their command lines."""
        found = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, group = status.read_text().rpartition(")")[2].split()[:3]
                if int(group) == self.process.pid and state not in "ZX":
                    found[int(status.parent.name)] = (status.parent / "cmdline").read_text().replace("\0", " ")
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended since
        return found

    def workers(self) -> list[int]:
        forked = [pid for pid, command in self.processes().items() if "forkserver" in command]
        return [pid for pid in forked if _parent(pid) in forked]  # the other one is their server

    def receipts(self) -> int:
        return len(list(self.folder.glob("out/.out.tif.cutline/*/receipt.json")))

    def half_way(self) -> None:
        """Wait until what can be finished is finished: both workers are at tiles of the server then, one of
        them with its first."""
        until(lambda: self.receipts() == 1, self.process)

    def ended(self) -> tuple[int, str]:
        """Exit code and messages, once every process has ended."""
        out, messages = self.process.communicate(timeout=DEADLINE)
        assert out == ""
        until(lambda: not self.processes())
        return self.process.returncode, messages


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stalling]:
    scene = write_scene(tmp_path / "scene.tif", texture(SHAPE, seed=3), transform=EAST)
    header_first = tmp_path / "header_first.tif"
    rasterio.shutil.copy(scene, header_first, driver="COG", overviews="NONE", blocksize=256)
    site = Stalling(header_first.read_bytes())
    yield site
    site.close()


@pytest.fixture
def running(tmp_path: Path, site: Stalling, monkeypatch: pytest.MonkeyPatch) -> Iterator[Export]:
    monkeypatch.setenv("CUTLINE_PRIVATE_HOSTS", "1")
    running = Export(tmp_path, site)
    yield running
    for pid in running.processes():
        os.kill(pid, signal.SIGKILL)
    running.process.communicate()


def resumes(stopped: Export, site: Stalling, reused: int) -> None:
    """The same command now succeeds, and makes what an export does that nobody stopped."""
    site.gate.set()
    assert exported(*stopped.options, "-o", stopped.out)["tiles_reused"] == reused
    undisturbed = stopped.folder / "undisturbed" / "out.tif"
    undisturbed.parent.mkdir()
    exported(*stopped.options, "-o", undisturbed)
    assert stopped.out.read_bytes() == undisturbed.read_bytes()
    items = [json.loads(path.with_suffix(".json").read_text()) for path in (stopped.out, undisturbed)]
    for item in items:
        del item["properties"]["created"], item["properties"]["datetime"]
    assert items[0] == items[1]
    assert sorted(path.name for path in stopped.out.parent.iterdir()) == ["out.json", "out.tif"]


SIGNALS = {
    "Ctrl-C, which the whole group gets": (os.killpg, signal.SIGINT),
    "SIGTERM to the group": (os.killpg, signal.SIGTERM),
    "SIGTERM to the command alone": (os.kill, signal.SIGTERM),
}

STOPPED = (130, "stopped; the same command goes on from the finished tiles")


@pytest.mark.parametrize("case", SIGNALS)
def test_stopped_half_way(running: Export, site: Stalling, case: str) -> None:
    running.half_way()
    send, which = SIGNALS[case]
    send(running.process.pid, which)
    code, messages = running.ended()
    assert (code, messages.strip()) == STOPPED
    assert [path.name for path in running.out.parent.iterdir()] == [".out.tif.cutline"]
    assert running.receipts() == 1
    resumes(running, site, reused=1)


def test_stopped_while_its_workers_are_starting(running: Export) -> None:
    until(lambda: bool(running.workers()), running.process)
    os.killpg(running.process.pid, signal.SIGINT)
    code, messages = running.ended()
    assert (code, messages.strip()) == STOPPED


def test_signals_are_for_the_parent_alone(running: Export) -> None:
    running.half_way()
    both = 1 << (signal.SIGINT - 1) | 1 << (signal.SIGTERM - 1)
    workers = running.workers()
    assert len(workers) == 2
    for pid in [*workers, *filter(None, map(_parent, workers))]:  # the server too
        blocked = re.search(r"SigBlk:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
        assert blocked and int(blocked[1], 16) & both == both


def test_a_worker_is_killed(running: Export, site: Stalling) -> None:
    running.half_way()
    os.kill(running.workers()[0], signal.SIGKILL)
    code, messages = running.ended()
    assert code == 1
    assert re.fullmatch(r"internal-error: a worker died near tile \([01], 1\), .* goes on .*\n", messages)
    assert not running.out.exists()
    resumes(running, site, reused=1)


def test_the_command_itself_is_killed_and_its_workers_do_not_outlive_it(running: Export, site: Stalling) -> None:
    running.half_way()
    running.process.kill()
    running.process.wait(DEADLINE)
    site.gate.set()
    until(lambda: not running.processes())
    assert not running.out.exists()
    resumes(running, site, reused=running.receipts())


@contextmanager
def no_file_beyond(nbytes: int) -> Iterator[None]:
    """As on a disk that is full, for this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


NO_ROOM = {"while a tile is kept": (0.3, "tile (0, 0): "), "while the file is put together": (1.5, "")}
"""When the disk is full: bytes there are, in tiles, and how the message goes on"""


@pytest.mark.parametrize("case", NO_ROOM)
def test_no_room_on_the_disk(tmp_path: Path, case: str) -> None:
    tiles, message = NO_ROOM[case]
    scene = write_scene(tmp_path / "scene.tif", texture((1, 512, 1536)))
    out = tmp_path / "out.tif"
    command = ("--scene", scene, "--tile-size", 512, "--workers", 1, "-o", out)
    exported(*command, "--bands", "red", "--profile", "none")
    before = {path.name: path.read_bytes() for path in (out, out.with_suffix(".json"))}
    with no_file_beyond(int(tiles * 512 * 512)):
        ran = cutline("export", *command, "--profile", "none", "--dtype", "uint8", "--nodata", 255)
    assert ran.code == 1
    assert ran.err.startswith(f"storage-error: {message}{tmp_path}")
    assert "cannot be written: File too large" in ran.err
    assert ran.err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in (out, out.with_suffix(".json"))} == before
    assert not (tmp_path / ".out.tif.part").exists()
    assert exported(*command, "--profile", "none", "--nodata", 255)["tiles_reused"] == (3 if tiles > 1 else 0)


def _cut(path: Path) -> None:
    status = path.stat()
    path.write_bytes(path.read_bytes()[: status.st_size // 2])


HARM = {
    # what happens to the eastern scene after planning: (how, the cause that is told)
    "deleted": (Path.unlink, "there is no such file"),
    "cut short": (_cut, "it has changed since the export was planned"),
    "changed": (lambda path: os.utime(path, (1, 1)), "it has changed since the export was planned"),
    "no longer an image": (lambda path: path.write_text("gone"), "its format is not known"),
}


@pytest.mark.parametrize(("case", "workers"), [*((case, 1) for case in HARM), ("deleted", 2)])
def test_a_source_vanishes_or_changes_after_planning(tmp_path: Path, case: str, workers: int) -> None:
    west = write_scene(tmp_path / "west.tif", texture(SHAPE))
    east = write_scene(tmp_path / "east.tif", texture(SHAPE, seed=3), transform=EAST)
    status, content = east.stat(), east.read_bytes()
    harm, cause = HARM[case]
    request, work, out = make_request(west, east, resampling="nearest"), tmp_path / "work", tmp_path / "out.tif"
    plan = plan_request(request, edge=512)
    harm(east)
    with pytest.raises(SourceUnavailable, match=rf"^tile \([01], 1\): scene east \({east}\).*{cause}"):
        render_tiles(plan, Folder(work), workers)
    east.write_bytes(content)
    os.utime(east, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = export(request, out, edge=512, work=work, workers=1)
    assert again.reused >= (workers == 1)  # two workers start with one tile of each scene
    assert again.plan == plan


def test_a_truncated_source_names_tile_scene_and_cause(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "whole.tif", texture((1, 1000, 400)))
    cut, out = tmp_path / "cut.tif", tmp_path / "out.tif"
    rasterio.shutil.copy(scene, cut, driver="COG", overviews="NONE", blocksize=128)
    options = ("--scene", cut, "--tile-size", 512, "-o", out)
    exported(*options)
    before = out.read_bytes()
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 7 // 10])
    ran = cutline("export", *options, "--workers", 1)
    assert ran.code == 1
    assert ran.err.startswith(f"source-unavailable: tile (1, 0): scene cut ({cut}) could not be read: ")
    assert ran.err.count("\n") == 1
    assert out.read_bytes() == before
    assert cutline("validate", out).code == 0


def test_a_block_that_cannot_be_decoded_is_an_error_and_never_nodata(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", texture((1, 256, 256)), block=128)
    with rasterio.open(scene) as file:
        offset = int(file.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    broken = bytearray(scene.read_bytes())
    broken[offset : offset + 200] = bytes(200)
    scene.write_bytes(broken)
    ran = cutline("export", "--scene", scene, "-o", tmp_path / "out.tif", "--workers", 1)
    assert ran.code == 2
    assert ran.err.startswith(f"invalid-scene: tile (0, 0): scene scene ({scene}) is damaged: ")
    assert not (tmp_path / "out.tif").exists()


def test_a_signal_waits_for_the_step_that_it_would_tear() -> None:
    """Even where another thread of the process takes it."""
    idle, steps = threading.Event(), []
    threading.Thread(target=idle.wait, daemon=True).start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), undisturbed(signal.SIGINT):
            os.kill(os.getpid(), signal.SIGINT)
            steps += range(1000)
        assert len(steps) == 1000
    finally:
        signal.signal(signal.SIGINT, before)
        idle.set()
