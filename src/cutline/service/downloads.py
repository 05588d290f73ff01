"""Files of finished exports, and the way to them: a redirect to an address that is signed for minutes.

Each redirect takes a token of a bucket, so that nobody asks too often, and sets bytes aside in the owner's month, until
the access logs tell what really left (metering.py). Where a budget is short, an address leads to the bytes that were
set aside and to no others: its signature is that of the request's Range.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote

from cutline.deliver.target import COG, ITEM
from cutline.errors import NotFound
from cutline.models.record import ExportRecord, now
from cutline.models.traffic import TICKET, File, LinkRecord, Ticket
from cutline.service.problems import RangeNotSatisfiable
from cutline.settings import service
from cutline.store.bucket import Bucket, place_of
from cutline.store.metering import Traffic
from cutline.store.rates import Rates

LINK_SECONDS = 15 * 60
"""How long a signed address works. It dies with the role's session anyway, so what users keep is our own address,
which redirects to a fresh one"""

_SUFFIX: dict[File, str] = {"cog": COG, "item": ITEM}
_RANGE = re.compile(r"bytes=(?!-$)(\d{0,18})-(\d{0,18})", re.ASCII)
"""The only form of which S3 sends a piece; to all others it sends the whole"""


@dataclass(frozen=True)
class Facts:
    """What is known of a file without reading it."""

    bucket: str
    key: str
    filename: str
    nbytes: int


def facts_of(record: ExportRecord, file: File) -> Facts:
    """Raises NotFound where there is no such file, yet or any more."""
    result = record.result
    if result is None:
        raise NotFound(f"export {record.export_id} has no file; it is {record.status}")
    bucket, key = place_of(result.cog_href if file == "cog" else result.item_href)
    found = Bucket(bucket).head(key)
    if found is None:
        raise NotFound(f"the file of export {record.export_id} is gone; export the area again")
    return Facts(
        bucket=bucket,
        key=key,
        filename=record.name + _SUFFIX[file],
        nbytes=int(found["ContentLength"]),
    )


def redirect(
    record: ExportRecord, file: File, *, by: str, link: LinkRecord | None = None, ranged: str | None = None
) -> str:
    """A signed address of the file, good for minutes.

    ``by``: whose bucket a token is taken of; ``ranged``: the request's Range, which is what is set aside of the month.
    Raises RateLimited, RangeNotSatisfiable, and NotFound as ``facts_of`` or where ``link`` is used up.
    """
    settings = service()
    limits = settings.limits
    Rates(settings.table, a_minute=limits.downloads_a_minute, in_a_row=limits.downloads_in_a_row).take(by)
    facts = facts_of(record, file)
    at, wanted = now(), _wanted(ranged, facts.nbytes)
    ticket = Ticket.new(at, link.link_id if link else None)
    traffic = Traffic(settings.table, bytes_a_month=limits.bytes_a_month)
    bound = {}
    if ranged and len(wanted) < facts.nbytes and (_is_budgeted(link) or traffic.left(record.owner, at) < facts.nbytes):
        bound = {"Range": ranged}
    traffic.reserve(ticket, record.owner, record.export_id, len(wanted), link)
    return Bucket(facts.bucket).logged_link(
        facts.key,
        LINK_SECONDS,
        {TICKET: str(ticket)},
        ResponseContentDisposition=content_disposition(facts.filename),
        **bound,
    )


def described(record: ExportRecord, file: File) -> str:
    """A signed address that is for HEAD alone, good for minutes: S3 tells of the file what nobody but S3 can, for API
    Gateway says of each answer of a function how long that is. Raises NotFound as ``facts_of``."""
    facts = facts_of(record, file)
    return Bucket(facts.bucket).head_link(
        facts.key, LINK_SECONDS, ResponseContentDisposition=content_disposition(facts.filename)
    )


def content_disposition(filename: str) -> str:
    """By RFC 6266: the name as it is for those who read RFC 8187, and in plain letters for the others."""
    stem, dot, suffix = filename.rpartition(".")
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    safe = "".join(letter if letter.isalnum() or letter in " ._-()" else "_" for letter in plain).strip(" .")
    return f"attachment; filename=\"{safe or 'export'}{dot}{suffix}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _is_budgeted(link: LinkRecord | None) -> bool:
    return link is not None and link.max_bytes is not None


def _wanted(ranged: str | None, nbytes: int) -> range:
    """Which of a file's bytes a request asks for: all, unless it names one range that makes sense. Raises
    RangeNotSatisfiable for one that has none of them."""
    found = _RANGE.fullmatch(ranged or "")
    if found is None:
        return range(nbytes)
    if not found[1]:
        first, last = max(nbytes - int(found[2]), 0), nbytes
    else:
        first, last = int(found[1]), int(found[2] or nbytes)
        if found[2] and last < first:
            return range(nbytes)
    piece = range(first, min(last + 1, nbytes))
    if not piece:
        raise RangeNotSatisfiable(
            f"Range: {ranged} has no byte of the file, which has {nbytes:,}", details={"nbytes": nbytes}
        )
    return piece
