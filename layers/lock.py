"""Gives the locks of the layers and of the code asset the versions that requirements/runtime.txt has: `make lock`.

Which packages they name is written by hand, for pip cannot be told to leave out what a package asks for and never
imports; tests/infra/test_locks.py knows which may be missing.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def main() -> None:
    """Raises KeyError for a package that the library does not have."""
    versions = dict(PIN.findall((ROOT / "requirements" / "runtime.txt").read_text()))
    for lock in (*sorted((ROOT / "layers").glob("*/requirements.txt")), ROOT / "requirements" / "asset.txt"):
        lock.write_text(PIN.sub(lambda pin: f"{pin[1]}=={versions[pin[1]]}", lock.read_text()))


if __name__ == "__main__":
    main()
