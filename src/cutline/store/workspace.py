"""The folder in which an export keeps its segments and receipts until they are one file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


class Workspace:
    """Named byte strings in a local folder. A name appears only when all of its bytes are there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, content: bytes) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise

    def get(self, name: str) -> bytes | None:
        """The content, or None where there is no such name."""
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            return None

    def path(self, name: str) -> Path:
        return self.folder / name
