"""Where worker processes come from.

Workers are forked from a server that has imported all they need and done nothing (GDAL does not survive a fork once it
is in use): they start at once, and share what imports take. The server is a fresh process, so what the caller has done
with GDAL, or with threads, does not matter. Light, so that the server can be started before anything heavy is imported.
"""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing.context import BaseContext

from cutline.store.output import undisturbed

_PRELOADED = ["cutline.lean", "cutline.worker"]
_CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()


def start_server() -> None:
    """Let the server begin its imports, while the caller goes on with something else."""
    if _CAN_FORK:
        from multiprocessing import forkserver  # noqa: PLC0415 - there is none on Windows

        multiprocessing.set_forkserver_preload(_PRELOADED)
        with undisturbed(signal.SIGINT, signal.SIGTERM):  # which are for us to handle; workers inherit that
            forkserver.ensure_running()


def context() -> BaseContext:
    """To start workers in."""
    start_server()
    return multiprocessing.get_context("forkserver" if _CAN_FORK else "spawn")
