"""Files of finished exports, and the way to them: a redirect to an address that is signed for minutes.

Each redirect takes a token of a bucket, so that nobody asks too often, and sets bytes aside in the owner's month, until
the access logs tell what really left (metering.py).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote

from cutline.deliver.target import COG, ITEM
from cutline.errors import NotFound
from cutline.models.record import ExportRecord, now
from cutline.models.traffic import File, LinkRecord, Ticket
from cutline.settings import service
from cutline.store.bucket import Bucket, place_of
from cutline.store.metering import Traffic
from cutline.store.rates import Rates

LINK_SECONDS = 15 * 60
"""How long a signed address works. It dies with the role's session anyway, so what users keep is our own address,
which redirects to a fresh one"""
TICKET = "x-cutline-ticket"
"""The query parameter that access logs tell of whom a request was. S3 ignores what begins with x-, and logs it"""

_SUFFIX: dict[File, str] = {"cog": COG, "item": ITEM}
_TYPE: dict[File, str] = {
    "cog": "image/tiff; application=geotiff; profile=cloud-optimized",
    "item": "application/geo+json",
}
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True)
class Facts:
    """What is known of a file without reading it."""

    bucket: str
    key: str
    filename: str
    content_type: str
    nbytes: int
    etag: str
    """With its quotes, as HTTP has it"""
    crc64nvme: str | None
    """Base64, of the whole file; None where nobody computed it"""

    @property
    def headers(self) -> dict[str, str]:
        """That a GET of the file would be answered with."""
        checksum = {"x-amz-checksum-crc64nvme": self.crc64nvme} if self.crc64nvme else {}
        return {
            "Content-Type": self.content_type,
            "Content-Length": str(self.nbytes),
            "Content-Disposition": content_disposition(self.filename),
            "Accept-Ranges": "bytes",
            "ETag": self.etag,
            **checksum,
        }


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
        content_type=_TYPE[file],
        nbytes=int(found["ContentLength"]),
        etag=str(found["ETag"]),
        crc64nvme=result.crc64nvme if file == "cog" else None,
    )


def redirect(
    record: ExportRecord, file: File, *, by: str, link: LinkRecord | None = None, ranged: str | None = None
) -> str:
    """A signed address of the file, good for minutes.

    ``by``: whose bucket a token is taken of; ``ranged``: the request's Range, which is what is set aside of the month.
    Raises RateLimited, and NotFound as ``facts_of`` or where ``link`` is used up.
    """
    settings = service()
    limits = settings.limits
    Rates(settings.table, a_minute=limits.downloads_a_minute, in_a_row=limits.downloads_in_a_row).take(by)
    facts = facts_of(record, file)
    ticket = Ticket.new(now(), link.link_id if link else None)
    traffic = Traffic(settings.table, bytes_a_month=limits.bytes_a_month)
    traffic.reserve(ticket, record.owner, record.export_id, _wanted(ranged, facts.nbytes), link)
    return Bucket(facts.bucket).logged_link(
        facts.key,
        LINK_SECONDS,
        {TICKET: str(ticket)},
        ResponseContentDisposition=content_disposition(facts.filename),
    )


def content_disposition(filename: str) -> str:
    """By RFC 6266: the name as it is for those who read RFC 8187, and in plain letters for the others."""
    stem, dot, suffix = filename.rpartition(".")
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    safe = "".join(letter if letter.isalnum() or letter in " ._-()" else "_" for letter in plain).strip(" .")
    return f"attachment; filename=\"{safe or 'export'}{dot}{suffix}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _wanted(ranged: str | None, nbytes: int) -> int:
    """How many of a file's bytes a request asks for: all, unless it names one range that makes sense."""
    found = _RANGE.fullmatch((ranged or "").replace(" ", ""))
    if found is None or found[0] == "bytes=-":
        return nbytes
    if not found[1]:
        return min(int(found[2]), nbytes)
    first, last = int(found[1]), int(found[2] or 10**18)
    return nbytes if last < first else max(min(last + 1, nbytes) - first, 0)
