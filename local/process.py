"""The process of a slot: Lambda's own runtime client with a handler.

It is forked from a server (``cutline.forks``) that has imported what the functions import, ``PRELOADED``: nine programs
that each took two seconds to begin share those.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection, wait
from pathlib import Path

from cutline import forks

ROOT = Path(__file__).parents[1]

PRELOADED = ("local.preloaded",)

_one_at_a_time = threading.Lock()
"""Whoever starts a process has multiprocessing look after all others: what one of them came to can be read but once"""


class Process:
    """One that runs from when it is made, with this environment and no variable of ours."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        ours, output = forks.context().Pipe(duplex=False)
        self._process = forks.context().Process(target=_run, args=(dict(environment), output))
        with output, _one_at_a_time:
            self._process.start()
        self._output = ours
        self.pid: int = self._process.pid  # type: ignore[assignment] # it has started

    @property
    def lives(self) -> bool:
        return not wait([self._process.sentinel], timeout=0)

    def lines(self) -> Iterator[str]:
        """What it writes, and what it starts, until all of them have ended."""
        with self._output, open(self._output.fileno(), "rb", closefd=False) as written:
            for line in written:
                yield line.decode(errors="replace").rstrip("\r\n").replace("\r", "\n")

    def wait(self) -> int:
        """Its exit status, or the negative number of the signal that ended it, once it and what it started have
        ended."""
        wait([self._process.sentinel])
        with _one_at_a_time:
            self._process.join()
        self._end(os.killpg)
        return self._process.exitcode or 0

    def kill(self) -> None:
        """End it, and what it started."""
        self._end(os.killpg)
        self._end(os.kill)  # one that has only just begun has no group yet

    def _end(self, send: Callable[[int, int], None]) -> None:
        with contextlib.suppress(ProcessLookupError):
            send(self.pid, signal.SIGKILL)


def _run(environment: Mapping[str, str], output: Connection) -> None:
    """Become what Lambda starts. What is written goes to ``output``."""
    os.setsid()  # so that all it starts can be killed with it
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output.fileno(), stream.fileno())
    output.close()
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(environment["LAMBDA_TASK_ROOT"])
    sys.path[:] = [environment["LAMBDA_TASK_ROOT"], *(each for each in sys.path if each != str(ROOT))]
    with contextlib.suppress(OSError):  # what tops and lists call it, where there is a /proc
        Path("/proc/self/comm").write_text(environment["AWS_LAMBDA_FUNCTION_NAME"])
    from awslambdaric.__main__ import main  # noqa: PLC0415 - its library looks at the environment when it is loaded

    main(["awslambdaric", environment["_HANDLER"]])
