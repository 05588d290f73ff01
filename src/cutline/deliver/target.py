"""What is delivered, and what every target can do.

A delivery may take many invocations of a Lambda. What the next needs to go on is the ``cursor`` of its record: written
after every piece that the target has taken, so that a killed invocation costs one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

COG, ITEM, MANIFEST = ".tif", ".json", ".manifest.json"
"""Suffixes of the three files of a parcel"""

Cursor = Mapping[str, Any]
"""JSON; what is in it is the target's own. Empty at the beginning. Never a secret"""


@dataclass(frozen=True)
class Parcel:
    """A finished COG with what goes beside it: its STAC item and a manifest."""

    path: str
    """At the target, without suffix: folder/name. No slash at either end, no part of it is ``..``"""
    bucket: str
    """Where the COG is"""
    key: str
    etag: str
    nbytes: int
    crc64nvme: str
    """Base64, of the whole COG"""
    item: bytes
    """The STAC item, as JSON; its asset's href is the name of the COG beside it"""
    manifest: bytes
    """JSON: the export, and name, bytes and checksum of the COG and of the item"""
    read: Callable[[int, int], bytes]
    """The COG's bytes [start, end). Raises TransientError, and IncompleteExport where the COG is not the one above"""


@dataclass(frozen=True)
class Trip:
    """One invocation's part of a delivery."""

    cursor: Cursor
    """How far the invocations before came"""
    save: Callable[[Cursor], None]
    """Keep how far this one has come. Raises Conflict where the delivery is no longer wanted, or another carries it"""
    seconds_left: Callable[[], float]
    """Until this invocation has to end"""


def fixed_folder(prefix: str) -> str:
    """The folder of all that is delivered below ``prefix``, as far as that does not depend on the export."""
    fixed, brace, _ = prefix.partition("{")
    return fixed.rpartition("/")[0] if brace else fixed


@dataclass(frozen=True)
class Arrival:
    """It is there, and was read back."""

    uri: str
    """For people: where it is"""
    checksum: str
    """What the target says the COG's bytes are, as ``algorithm:value``"""


class Target(Protocol):
    """A place of a user's. What it raises says in one sentence what is wrong there and what would be right:
    BadCredentials, QuotaExceeded, DeliveryRejected for the rest that stays so; TransientError for what may pass."""

    def verify(self) -> None:
        """Write a small file, read it back and remove it."""
        ...

    def room(self) -> int | None:
        """Bytes that it can still take; None where that cannot be known."""
        ...

    def deliver(self, parcel: Parcel, trip: Trip) -> Arrival | None:
        """Go on bringing the parcel there; None where this invocation's time ended first.

        Done twice it leaves one copy. Where it raises for good, nothing half-written is left. At most 64 MB of the
        COG are in memory.
        """
        ...

    def abandon(self, path: str, cursor: Cursor) -> None:
        """Remove what a delivery that is given up on the way has left half-written."""
        ...
