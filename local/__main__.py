"""``python -m local``: see the package.

The server that functions are forked from begins before the service's imports.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from cutline.forks import start_server
from local.process import PRELOADED, ROOT

MAX_PORT = 65535
LOOK_SECONDS = 0.2
"""Python runs a signal's handler in this thread, when it next does anything; a wait without end was seen not to"""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Serve until interrupted."""
    began = time.perf_counter()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # there is nothing to end yet, nor to tell
    words = argparse.ArgumentParser(prog="make serve", description="Cutline on this machine.")
    words.add_argument("--port", type=_port, default=8000, help="0 for any that is free [8000]")
    words.add_argument("--data", type=Path, help="a folder that keeps exports from one start to the next")
    words.add_argument("--scenes", type=_folder, help="a folder of rasters to export from, besides the demo's")
    words.add_argument("--faults", type=_share, default=0, metavar="RATE", help="so many of AWS's answers are errors")
    words.add_argument("--seed", type=int, default=0, help="of which ones are [0]")
    words.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    given = words.parse_args(argv)
    try:
        lock = _lock(given.data) if given.data else None  # noqa: F841 – held until we end
    except BlockingIOError:
        words.error(f"{given.data} is in use by another service")
    except OSError as error:
        words.error(f"{given.data} cannot be used: {error.strerror}")
    start_server(PRELOADED)
    from local import lean  # noqa: F401, PLC0415
    from local.service import Options, Service  # noqa: PLC0415
    from local.welcome import welcome  # noqa: PLC0415

    stopped = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stopped.set())
    try:
        service = Service(Options(**vars(given)))
    except (OSError, SystemExit) as error:  # the latter is werkzeug's own way of saying it
        if isinstance(error, OSError) and error.filename is not None:
            words.error(f"{error.filename} cannot be used: {error.strerror}")
        words.error(f"port {given.port} is in use; choose another by --port, or --port 0 for any that is free")
    try:
        print(welcome(service, time.perf_counter() - began), flush=True)
        while not stopped.wait(LOOK_SECONDS):
            pass
    finally:
        service.close()
    # Not by sys.exit, which would wait for threads of moto's interpreter, which wait for their next retry.
    sys.stdout.flush()
    os._exit(0)


def _port(text: str) -> int:
    """0 to 65535."""
    if not (text.isdecimal() and int(text) <= MAX_PORT):
        raise argparse.ArgumentTypeError(f"{text} is no port; give a number from 0 (any) to {MAX_PORT}")
    return int(text)


def _lock(folder: Path) -> TextIO:
    """What keeps the folder ours while it is open. Raises BlockingIOError where it is another service's."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "lock").open("w")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def _folder(text: str) -> Path:
    """One that is there, and can be listed."""
    if not (Path(text).is_dir() and os.access(text, os.R_OK | os.X_OK)):
        raise argparse.ArgumentTypeError(f"{text} is no folder that can be read")
    return Path(text)


def _share(text: str) -> float:
    """0 to 1."""
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share; give a number from 0 (none) to 1 (all)")
    return share


if __name__ == "__main__":
    main()
