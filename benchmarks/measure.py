"""What a command costs: time, processor time and memory, with all the processes it starts. Linux only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

INTERVAL = 0.05
"""Seconds between looks at the memory, at least"""
REST = 40
"""Times as long as a look took, at least: it takes a core from the processes, and holds up their page faults"""
SET_CHILD_SUBREAPER = 36
"""prctl's number: processes whose parent ends before them become ours, and with them what they have used"""


@dataclass(frozen=True)
class Cost:
    """One run."""

    wall: float
    """Seconds, to the end of the command"""
    cpu: float
    """Seconds of user and system time, of all processes"""
    peak: int
    """Bytes: the highest sum of proportional set sizes. Pages that processes share count once, file cache does not."""


class Failed(Exception):
    """The command ended with an error; the message is the end of what it said."""


def measure(command: list[str], log: Path) -> Cost:
    """Run a command to its end, and wait for processes that it leaves behind. What it says goes into ``log``."""
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        sampler = _Sampler(process.pid)
        sampler.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        sampler.stop()
    cpu = usage.ru_utime + usage.ru_stime
    with contextlib.suppress(ChildProcessError):
        while True:
            _, _, usage = os.wait4(-1, 0)
            cpu += usage.ru_utime + usage.ru_stime
    if process.returncode:
        raise Failed("\n".join(log.read_text(errors="replace").strip().splitlines()[-3:]))
    return Cost(wall, cpu, sampler.peak)


class _Sampler(threading.Thread):
    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.peak = 0

    def run(self) -> None:
        took = 0.0
        while not self._ended.wait(max(INTERVAL, REST * took)):
            began = time.perf_counter()
            self.peak = max(self.peak, _tree_pss(self._pid))
            took = time.perf_counter() - began

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _tree_pss(pid: int) -> int:
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0
    return sum(_pss(process.pid) for process in family)


def _pss(pid: int) -> int:
    """Linux sums a process's pages up for us; reading each mapping, as psutil does, would slow the process down."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has just ended
        return 0
    fields = dict(line.split(":", 1) for line in lines if ":" in line[:20])
    return 1024 * sum(int(fields[name].split()[0]) for name in ("Pss", "SwapPss") if name in fields)
