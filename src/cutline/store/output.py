"""The place of an export's file and of its item: checked before the work, and filled at one stroke after it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cutline.errors import Conflict, InvalidRequest
from cutline.signals import undisturbed
from cutline.store.workspace import writing

if sys.platform != "win32":
    import fcntl

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


def item_path(out: Path) -> Path:
    """Where the STAC item of the file ``out`` goes."""
    return out.with_suffix(".json")


def check_place(out: Path) -> None:
    """Refuse before hours of work what would fail after them, or what would destroy a file that is no export.

    Raises InvalidRequest.
    """
    item = item_path(out)
    if out.is_dir():
        raise InvalidRequest(f"{out} is a folder; name a file in it, such as {out / 'export.tif'}")
    if out == item:
        raise InvalidRequest(f"{out}: that is where the export's STAC item goes; end the name with .tif")
    if not out.parent.is_dir():
        raise InvalidRequest(f"there is no folder {out.parent}")
    if out.exists() and not _may_replace(out):
        raise InvalidRequest(f"{out} is there already and is not a TIFF; choose another name, so that it is not lost")
    if item.exists() and not _is_item_of_ours(item):
        raise InvalidRequest(
            f"{item}, where the STAC item goes, is there already and was not made by an export; choose another name "
            f"than {out.name}, so that it is not lost"
        )
    try:
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise InvalidRequest(f"{out.parent} cannot be written to: {error.strerror}") from error


def check_sources(out: Path, hrefs: Iterable[str]) -> None:
    """Raise InvalidRequest where an export would replace what it reads."""
    for href in hrefs:
        for path in (out, item_path(out)):
            if path.exists() and Path(href).exists() and path.samefile(href):
                raise InvalidRequest(f"{path} is read by this export; choose another name for what it writes")


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Only one at a time is inside for ``out``: two would take each other's half-written files for their own.

    Raises Conflict where another process, or thread, is inside, and StorageError.
    """
    if sys.platform == "win32":
        yield
        return
    path = out.with_name(f".{out.name}.lock")
    with writing(path):
        handle = _locked(path)
    if handle is None:
        raise Conflict(f"another export to {out.name} is running; wait for it or choose another name")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is ours: once let go, the name may be another's
        os.close(handle)


def _locked(path: Path) -> int | None:
    """A handle of the file ``path``, locked; None where another has it. The system unlocks it for those it kills."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last owner may have removed it since we opened it, and nobody else would find what we locked.
            if _is_at(handle, path):
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError as error:
            if error.errno in _NO_LOCKS:  # as on some network file systems: better an export without than none
                return handle
            os.close(handle)
            raise
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    """Is this open file the one that ``path`` names now?"""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def set_aside(out: Path) -> Iterator[Path]:
    """A path for the file, in a folder of its own, where its item goes too. Left without an error, both move to their
    places, whatever was there before; left by one, nothing has changed. To be entered ``alone``. Raises StorageError.
    """
    folder = out.with_name(f".{out.name}.part")
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    try:
        with writing(out):
            folder.mkdir()
            yield folder / out.name
            with undisturbed(signal.SIGINT, signal.SIGTERM):
                (folder / out.name).replace(out)
                item_path(folder / out.name).replace(item_path(out))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _may_replace(path: Path) -> bool:
    """A TIFF, or a file that is still empty, as mktemp makes them."""
    if not path.is_file() or not os.access(path, os.R_OK):
        return False
    with path.open("rb") as file:
        return file.read(4) in (b"", *_TIFF)


def _is_item_of_ours(path: Path) -> bool:
    try:
        return "cutline" in json.loads(path.read_bytes())["properties"]["processing:software"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
