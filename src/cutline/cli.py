"""The program ``cutline``. Its commands are in commands.py, whose imports take a second: so workers start first."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from cutline.forks import start_server

INTERRUPTED = 130


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, _interrupt)  # stop as cleanly as for Ctrl-C
    try:
        if sys.argv[1:2] == ["export"] and (os.cpu_count() or 1) > 1:
            start_server()
        from cutline import lean  # noqa: F401, PLC0415
        from cutline.commands import run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the finished tiles", file=sys.stderr)  # noqa: T201
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
