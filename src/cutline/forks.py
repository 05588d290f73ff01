"""Where worker processes come from.

A program's workers are forked from a server, a fresh process that has imported all they need and done nothing (GDAL
does not survive a fork once it is in use): they start at once, and share what imports take. multiprocessing has one
such server a process, so it is for programs that are ours alone; elsewhere workers are spawned. Light, so that the
server can begin before anything heavy is imported.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Sequence
from multiprocessing.context import BaseContext

from cutline.signals import undisturbed

_started = False


def start_server(preloaded: Sequence[str]) -> None:
    """Let the server begin to import these modules, while the caller goes on with something else."""
    global _started  # noqa: PLW0603 - there is one a process
    if sys.platform != "linux":  # elsewhere there is no fork, or one that the system's libraries do not survive
        return
    from multiprocessing import forkserver, resource_tracker  # noqa: PLC0415 - there are none on Windows

    multiprocessing.set_forkserver_preload(list(preloaded))
    try:
        resource_tracker.ensure_running()  # which would unblock these signals again if the server started it
        with undisturbed(signal.SIGINT, signal.SIGTERM):  # they are for us to handle; workers inherit that
            forkserver.ensure_running()
    except OSError:  # no room for its socket, or its name too long: workers can be spawned
        return
    _started = True


def context() -> BaseContext:
    """To start workers in."""
    return multiprocessing.get_context("forkserver" if _started else "spawn")
