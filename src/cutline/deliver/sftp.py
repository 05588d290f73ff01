"""A folder on an SFTP server. The COG grows beside its place, under a name of its own, and is renamed when it is whole.

SFTP knows no checksums: each piece is read back when it was written, so that the whole was.
The cursor: ``{"part": name of the growing file, "nbytes": that were read back}``.
"""

from __future__ import annotations

import base64
import secrets
from contextlib import suppress
from urllib.parse import quote

from cutline.deliver.sftp_session import Files, session, told
from cutline.deliver.target import COG, ITEM, MANIFEST, Arrival, Cursor, Parcel, Trip, fixed_folder
from cutline.errors import Conflict, CutlineError, DeliveryRejected, QuotaExceeded, TransientError
from cutline.models.destination import SftpSecret, SftpSettings

RESERVE = 60.0
"""Seconds of an invocation in which no further piece is begun"""
SHORT = 15.0
"""Seconds that all takes at most but a delivery itself: somebody waits for a trial, and others for the function"""
_PIECE = 8 << 20
"""Bytes"""
_FAILURE = "Failure"
"""What a server answers when it cannot write: the protocol has no word for a full disk"""
_TRIAL = "cutline-trial"
"""Name of the file that a destination is verified with"""


class SftpTarget:
    """One destination. It keeps no connection between calls."""

    def __init__(self, settings: SftpSettings, secret: SftpSecret | None, external_id: str) -> None:
        self._settings, self._secret = settings, secret

    def verify(self) -> None:
        """All that a delivery does, with some bytes."""
        folder, name = fixed_folder(self._settings.prefix), f"{_TRIAL}-{secrets.token_hex(4)}"
        path = f"{folder}/{name}" if folder else name
        with session(self._settings, self._secret, SHORT) as files, told(self._settings, path):
            files.make_folders(path)
            try:
                self._put(files, path, secrets.token_bytes(64))
            finally:
                with suppress(FileNotFoundError):
                    files.remove(path)

    def room(self) -> int | None:
        """Of the disk, where the server tells."""
        folder = fixed_folder(self._settings.prefix)
        with session(self._settings, self._secret, SHORT) as files:
            found = files.room(folder or ".")
            return files.room(".") if found is None and folder else found  # the folder may not be there yet

    def deliver(self, parcel: Parcel, trip: Trip) -> Arrival | None:
        path = parcel.path + COG
        with session(self._settings, self._secret) as files, told(self._settings, path):
            done = self._found(files, parcel, trip.cursor)
            if done is not None and not self._arrived(files, parcel, trip, done):
                return None
            for suffix, content in ((ITEM, parcel.item), (MANIFEST, parcel.manifest)):
                self._put(files, parcel.path + suffix, content)
        place = f"{self._settings.host}:{self._settings.port}"
        return Arrival(f"sftp://{place}/{quote(path)}", f"crc64nvme:{parcel.crc64nvme}")

    def abandon(self, path: str, cursor: Cursor) -> None:
        """Remove what a delivery to ``path`` that is given up has left."""
        part = str(cursor.get("part", ""))
        if part:
            with session(self._settings, self._secret, SHORT) as files, suppress(FileNotFoundError):
                files.remove(part)

    def _found(self, files: Files, parcel: Parcel, cursor: Cursor) -> int | None:
        """Bytes of the growing file that are known to be right; None where it is the COG already."""
        done = int(cursor.get("nbytes", 0))
        size = files.size(_part(parcel))
        if size is None and done == parcel.nbytes and files.size(parcel.path + COG) == done:
            return None  # the invocation before ended after it was renamed
        if cursor.get("part") == _part(parcel) and size is not None and size >= done:
            return done
        return 0

    def _arrived(self, files: Files, parcel: Parcel, trip: Trip, done: int) -> bool:
        """Whether the COG is in its place. What a delivery that fails for good has written is removed."""
        part = _part(parcel)
        try:
            with told(self._settings, part):
                if not self._brought(files, parcel, trip, done):
                    return False
                files.replace(part, parcel.path + COG)
                return True
        except (TransientError, Conflict):  # the next invocation goes on, or another is at it
            raise
        except CutlineError:
            with suppress(OSError):
                files.remove(part)
            raise

    def _brought(self, files: Files, parcel: Parcel, trip: Trip, done: int) -> bool:
        """Piece by piece; False where the time ended first."""
        part = _part(parcel)
        if done == 0:
            files.make_folders(part)
            self._check_room(files, part, parcel.nbytes)
            files.open(part, "wb").close()
            trip.save({"part": part, "nbytes": 0})
        while done < parcel.nbytes:
            if trip.seconds_left() < RESERVE:
                return False
            content = parcel.read(done, min(done + _PIECE, parcel.nbytes))
            self._write(files, part, done, content, parcel.nbytes - done)
            if files.read_at(part, done, len(content)) != content:
                raise TransientError(f"{part} is not what was written; try again")
            done += len(content)
            trip.save({"part": part, "nbytes": done})
        if files.size(part) != parcel.nbytes:
            trip.save({})
            raise TransientError(f"{part} was changed by another while it grew; the delivery begins again")
        return True

    def _write(self, files: Files, part: str, start: int, content: bytes, left: int) -> None:
        try:
            files.write_at(part, start, content)
        except OSError as error:
            if str(error) != _FAILURE:
                raise
            self._check_room(files, part, left)
            raise DeliveryRejected(
                f"{self._settings.host} does not take more; mostly its disk or quota is full, and {left:,} bytes are "
                "to be written"
            ) from error

    def _check_room(self, files: Files, path: str, nbytes: int) -> None:
        """Raises QuotaExceeded where the disk of ``path`` is known not to take so many bytes more."""
        room = files.room(path.rpartition("/")[0] or ".")
        if room is not None and room < nbytes:
            raise QuotaExceeded(
                f"{self._settings.host} has room for {room:,} bytes, and {nbytes:,} are to be written; make room there"
            )

    def _put(self, files: Files, path: str, content: bytes) -> None:
        """A small file at once."""
        part = f"{path}.{secrets.token_hex(4)}.part"
        try:
            files.open(part, "wb").close()
            files.write_at(part, 0, content)
            if files.read_at(part, 0, len(content)) != content:
                raise DeliveryRejected(f"{self._settings.host} gives back other bytes than it took")
            files.replace(part, path)
        except (OSError, CutlineError):
            with suppress(OSError):
                files.remove(part)
            raise


def _part(parcel: Parcel) -> str:
    """Where the COG grows: another content grows elsewhere."""
    return f"{parcel.path}{COG}.{base64.b64decode(parcel.crc64nvme).hex()}.part"
