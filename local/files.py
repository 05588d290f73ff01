"""Files of this machine as S3 objects, whose bytes stay where they are."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

from moto.s3.models import FakeKey

from local.aws import ACCOUNT, REGION
from local.objects import backend

KINDS = {
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".jp2": "image/jp2",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".geojson": "application/geo+json",
}


class FileBuffer:
    """In place of a key's buffer: the file is open only while it is read, for there may be thousands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        size = self.path.stat().st_size if whence == io.SEEK_END else self._at
        self._at = offset + (0 if whence == io.SEEK_SET else size)
        return self._at

    def read(self, nbytes: int = -1) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self._at)
            content = file.read(nbytes)
        self._at += len(content)
        return content

    def close(self) -> None:
        """Nothing is open."""


def key_of_file(bucket: str, name: str, path: Path, etag: str) -> FakeKey:
    """An object whose content is the file's."""
    key = FakeKey(name, b"", ACCOUNT, REGION, etag=etag, bucket_name=bucket)
    status = path.stat()
    key._value_buffer.close()
    key._value_buffer = FileBuffer(path)  # type: ignore[assignment]  # it reads and seeks as one
    key.contentsize = status.st_size
    key.last_modified = dt.datetime.fromtimestamp(int(status.st_mtime), dt.UTC).replace(tzinfo=None)
    return key


def publish(folder: Path, bucket: str, *, unless_in: Path | None = None) -> None:
    """Every file below ``folder``, by its path in there, as an object of ``bucket``; but for those that ``unless_in``
    has by the same path."""
    keys = backend().get_bucket(bucket).keys
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or any(part.startswith(".") for part in name.parts):
            continue
        if unless_in and (unless_in / name).exists():
            continue
        status = path.stat()
        key = key_of_file(bucket, name.as_posix(), path.resolve(), f"{status.st_size:x}-{status.st_mtime_ns:x}")
        key.set_metadata({"Content-Type": KINDS.get(path.suffix.lower(), "application/octet-stream")})
        keys.setlist(key.name, [key])
