"""Small reads of whole objects and of their starts: a local path, ``s3://`` or ``http(s)://``."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from cutline.errors import InvalidRequest, SourceUnavailable, TooLarge


class Peek(NamedTuple):
    """An object's beginning, and what identifies the content it begins."""

    start: bytes
    identity: str | None
    """An ETag, else size and modification time; None where there is neither"""


class Objects(Protocol):
    """Every method raises InvalidRequest for what stays wrong (missing, forbidden) and SourceUnavailable for what
    may pass (no answer, 503)."""

    def peek(self, href: str, nbytes: int) -> Peek:
        """The first ``nbytes`` (fewer where it is shorter) and the identity, in one request."""
        ...

    def read(self, href: str, limit: int) -> bytes:
        """All of it. Raises TooLarge beyond ``limit`` bytes, and reads hardly more than those."""
        ...


class Files:
    """Local paths."""

    def peek(self, href: str, nbytes: int) -> Peek:
        status = Path(href).stat() if Path(href).is_file() else None
        start = _read_file(href, nbytes)
        return Peek(start, status and f"{status.st_size}-{status.st_mtime_ns}")

    def read(self, href: str, limit: int) -> bytes:
        return check_length(_read_file(href, limit + 1), limit)


def check_length(content: bytes, limit: int) -> bytes:
    """``content``, if it is no longer than ``limit`` bytes; else raises TooLarge."""
    if len(content) > limit:
        raise TooLarge(f"it is longer than the {limit:,} bytes we read")
    return content


def _read_file(href: str, nbytes: int) -> bytes:
    path = Path(href)
    # Not only existence: a pipe or a device could block for ever.
    if not path.is_file():
        raise InvalidRequest("it is a folder; name a file in it" if path.is_dir() else "there is no such file")
    try:
        with path.open("rb") as file:
            return file.read(nbytes)
    except PermissionError as error:
        raise InvalidRequest("we may not read it (its permissions forbid it)") from error
    except OSError as error:
        raise SourceUnavailable(f"the disk answered: {error.strerror}") from error
