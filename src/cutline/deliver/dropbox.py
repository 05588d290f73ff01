"""Deliveries to Dropbox. A COG travels as an upload session, which nobody sees before all of it is there."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator

from pydantic import Field

from cutline.deliver.content_hash import ContentHash, block_digests
from cutline.deliver.dropbox_api import RESERVE, Box, SessionLostError
from cutline.deliver.dropbox_login import AUTHORISE
from cutline.deliver.target import COG, ITEM, MANIFEST, Arrival, Cursor, Parcel, Trip, fixed_folder
from cutline.errors import BadCredentials, DeliveryRejected, QuotaExceeded, TransientError
from cutline.models.base import Model
from cutline.models.destination import DropboxSecret, DropboxSettings

PIECE = 48 * 1024 * 1024
"""Bytes sent at once, whole blocks of the content hash. Dropbox takes 150 MB; of ours 64 MB may be in memory"""
LOOK_EVERY = 20
"""Pieces, after which we look whether there still is room: Dropbox itself says so only when a file is complete"""
SESSIONS = 3
"""Begun for one delivery, before it is given up for now"""


class Progress(Model):
    """How far a COG has come: the cursor."""

    etag: str
    """Of the COG whose bytes these are"""
    session: str
    """Dropbox's upload session. Of use only to who has a token"""
    begun: int = Field(default=1, ge=1)
    """Sessions; all before this one were lost"""
    sent: int = Field(default=0, ge=0)
    """Bytes; whole pieces, or all"""
    hashed: ContentHash = ContentHash()
    """Of those"""
    rev: str = ""
    """Of the file, once there is one"""
    beside: dict[str, str] = Field(default_factory=dict)
    """Suffix -> rev of each file that was written beside it"""


class DropboxTarget:
    """A folder of a Dropbox account."""

    def __init__(self, settings: DropboxSettings, secret: DropboxSecret | None, external_id: str) -> None:
        """``external_id`` is for targets that are entered by a role."""
        if secret is None:
            raise BadCredentials(f"nobody has let us into this Dropbox yet; {AUTHORISE}")
        self._settings, self._secret = settings, secret

    def verify(self) -> None:
        """See target.py. It also sees how much room there is, which is a permission of its own."""
        box = Box(self._secret, lambda: 0.0)
        box.room()
        path = _place(f"{fixed_folder(self._settings.prefix)}/cutline-{secrets.token_hex(8)}", ".txt")
        content = b"Cutline tries whether it may write here.\n"
        written = box.put(path, content)
        try:
            there = box.stored(path)
            if there is None or not there.is_made_of(len(content), ContentHash().after(block_digests(content))):
                raise TransientError("a trial file in Dropbox is not there as it was written; try again")
        finally:
            box.remove(path, written.rev)

    def room(self) -> int | None:
        """See target.py."""
        return Box(self._secret, lambda: 0.0).room()

    def deliver(self, parcel: Parcel, trip: Trip) -> Arrival | None:
        """See target.py. Each invocation gets on by a piece at least, however little time it has."""
        upload = _Upload(Box(self._secret, trip.seconds_left), parcel)
        progress = _progress(trip.cursor, parcel)
        longest = 0.0
        while progress is None or not progress.rev:
            before = trip.seconds_left()
            progress = upload.go_on(progress)
            trip.save(progress.model_dump(mode="json"))
            after = trip.seconds_left()
            longest = max(longest, before - after)
            if after < RESERVE + 2 * longest:
                return None
        for further in upload.put_beside(progress):
            trip.save(further.model_dump(mode="json"))
        arrival = upload.arrived(progress)
        if arrival is None:
            trip.save({})
            raise TransientError("the file in Dropbox is not the one that was delivered; try again")
        return arrival

    def abandon(self, path: str, cursor: Cursor) -> None:
        """See target.py. An upload session leaves nothing; a COG whose item and manifest are missing is no delivery.
        What another delivery has written under these names stays."""
        if cursor and (progress := Progress.model_validate(cursor)).rev:
            box = Box(self._secret, lambda: 0.0)
            for suffix, rev in {COG: progress.rev, **progress.beside}.items():
                box.remove(_place(path, suffix), rev)


class _Upload:
    """Of one parcel."""

    def __init__(self, box: Box, parcel: Parcel) -> None:
        self._box, self._parcel = box, parcel
        self._path = _place(parcel.path, COG)

    def go_on(self, progress: Progress | None) -> Progress:
        """One step: begin, send a piece, or make them the file."""
        if progress is None:
            return self._begin(begun=1)
        try:
            return self._send(progress) if progress.sent < self._parcel.nbytes else self._commit(progress)
        except SessionLostError:
            return self._begin(begun=progress.begun + 1)

    def put_beside(self, progress: Progress) -> Iterator[Progress]:
        """Item and manifest; what has come of it after each."""
        for suffix, content in ((ITEM, self._parcel.item), (MANIFEST, self._parcel.manifest)):
            try:
                rev = self._box.put(_place(self._parcel.path, suffix), content).rev
            except DeliveryRejected:
                for written, known in {COG: progress.rev, **progress.beside}.items():
                    self._box.remove(_place(self._parcel.path, written), known)
                raise
            progress = progress.model_copy(update={"beside": {**progress.beside, suffix: rev}})
            yield progress

    def arrived(self, progress: Progress) -> Arrival | None:
        """None where the COG meanwhile is another than ours."""
        there = self._box.stored(self._path)
        if there is None or not there.is_made_of(self._parcel.nbytes, progress.hashed):
            return None
        return Arrival(uri=f"dropbox:{there.shown}", checksum=f"dropbox-content-hash:{there.content_hash}")

    def _begin(self, begun: int) -> Progress:
        if begun > SESSIONS:
            raise DeliveryRejected(f"Dropbox lost the upload {SESSIONS} times; deliver it again later")
        self._check_room()
        return Progress(etag=self._parcel.etag, session=self._box.start(), begun=begun)

    def _send(self, progress: Progress) -> Progress:
        """One piece. What an answer that got lost, or a killed invocation, had brought there already stays."""
        start, end = progress.sent, min(progress.sent + PIECE, self._parcel.nbytes)
        if start and start % (PIECE * LOOK_EVERY) == 0:
            self._check_room()
        piece = self._parcel.read(start, end)
        digests = block_digests(piece)
        there = self._box.append(progress.session, start, piece, hashlib.sha256(digests).hexdigest())
        if start < there < end:
            piece = b""  # there is memory for one
            piece = self._parcel.read(there, end)
            found = hashlib.sha256(block_digests(piece)).hexdigest()
            there = self._box.append(progress.session, there, piece, found)
        if not end <= there <= self._parcel.nbytes:
            raise SessionLostError
        return progress.model_copy(update={"sent": end, "hashed": progress.hashed.after(digests)})

    def _commit(self, progress: Progress) -> Progress:
        try:
            there = self._box.finish(progress.session, self._parcel.nbytes, self._path)
        except QuotaExceeded:
            self._check_room()  # it knows the numbers
            raise
        except SessionLostError:
            # Or used up, by an invocation that was killed before it could say so.
            found = self._box.stored(self._path)
            if found is None or not found.is_made_of(self._parcel.nbytes, progress.hashed):
                raise
            there = found
        if not there.is_made_of(self._parcel.nbytes, progress.hashed):
            self._box.remove(self._path, there.rev)
            raise SessionLostError
        return progress.model_copy(update={"rev": there.rev})

    def _check_room(self) -> None:
        """Raises QuotaExceeded. An upload session takes no room before it becomes a file."""
        room = self._box.room()
        needed = self._parcel.nbytes + len(self._parcel.item) + len(self._parcel.manifest)
        if room is not None and room < needed:
            raise QuotaExceeded(
                f"the Dropbox account has room for {room:,} bytes and {needed:,} are needed; make room for "
                f"{needed - room:,} more, or deliver to another destination",
                details={"needed": needed, "room": room},
            )


def _progress(cursor: Cursor, parcel: Parcel) -> Progress | None:
    """None where nothing of this COG was sent yet."""
    progress = Progress.model_validate(cursor) if cursor else None
    return progress if progress and progress.etag == parcel.etag else None


def _place(path: str, suffix: str) -> str:
    return f"/{path.strip('/')}{suffix}"
