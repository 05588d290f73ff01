"""The program ``cutline``. Its commands are in commands.py, whose imports take a second: so workers start first."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from cutline.forks import start_server

INTERRUPTED = 130

WORKER = ("cutline.lean", "cutline.worker")
"""The modules of one"""


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _wants_workers(words: Sequence[str]) -> bool:
    """A guess, before the words are read in earnest: a wrong one costs a second of a core, or of time."""
    alone = ("--workers", "1") in itertools.pairwise(words) or "--workers=1" in words
    helpless = not {"-h", "--help"}.intersection(words)
    return words[:1] == ["export"] and helpless and not alone and (os.cpu_count() or 1) > 1


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, _interrupt)  # stop as cleanly as for Ctrl-C
    try:
        if _wants_workers(sys.argv[1:]):
            start_server(WORKER)
        from cutline import lean  # noqa: F401, PLC0415
        from cutline.commands import run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the finished tiles", file=sys.stderr)  # noqa: T201
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
