"""Where an export keeps its segments and receipts until they are one file: a local folder, or S3 (s3_workspace.py)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from cutline.errors import StorageError

Piece = bytes | bytearray


class Workspace(Protocol):
    """Named byte strings. A name appears only when all of its bytes are there. All methods raise the family of
    CutlineError where the place does not answer."""

    def put(self, name: str, *pieces: Piece) -> str | None:
        """Keep the pieces, one behind the other. Returns the content's ETag, where the place knows such."""
        ...

    def get(self, name: str, start: int = 0, stop: int | None = None) -> bytes | None:
        """The content from byte ``start`` to before ``stop``, as far as it goes; None where there is no such name."""
        ...

    def remove(self, name: str) -> None: ...

    def size(self, name: str) -> int | None:
        """Bytes of the content, or None where there is no such name."""
        ...

    def where(self, name: str) -> str:
        """What people call the place of a name: a path or an address."""
        ...


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Writing to ``path``: what the system refuses becomes a StorageError that names it."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error


class Folder:
    """A workspace in a local folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, *pieces: Piece) -> None:
        with writing(self.folder):
            self._put(self.path(name), pieces)

    def _put(self, path: Path, pieces: Sequence[Piece]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines(pieces)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise

    def get(self, name: str, start: int = 0, stop: int | None = None) -> bytes | None:
        try:
            with self.path(name).open("rb") as file:
                file.seek(start)
                return file.read(-1 if stop is None else stop - start)
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def size(self, name: str) -> int | None:
        try:
            return self.path(name).stat().st_size
        except FileNotFoundError:
            return None

    def where(self, name: str) -> str:
        return str(self.path(name))

    def path(self, name: str) -> Path:
        return self.folder / name
