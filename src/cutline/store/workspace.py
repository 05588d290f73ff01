"""The folder in which an export keeps its segments and receipts until they are one file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cutline.errors import StorageError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Writing to ``path``: what the system refuses becomes a StorageError that names it."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error


class Workspace:
    """Named byte strings in a local folder. A name appears only when all of its bytes are there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, *pieces: bytes | bytearray) -> None:
        """Keep the pieces, one behind the other. Raises StorageError where the folder does not take them."""
        with writing(self.folder):
            self._put(self.path(name), pieces)

    def _put(self, path: Path, pieces: Sequence[bytes | bytearray]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines(pieces)
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

    def remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def size(self, name: str) -> int | None:
        """Bytes of the content, or None where there is no such name."""
        try:
            return self.path(name).stat().st_size
        except FileNotFoundError:
            return None

    def path(self, name: str) -> Path:
        return self.folder / name
