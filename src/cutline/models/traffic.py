"""What leaves us and who answers for it: share links, leave to fetch a file, and bytes counted by day."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from typing import Literal

from pydantic import AwareDatetime, Field

from cutline.models.base import Model

File = Literal["cog", "item"]
"""Of an export: its COG, or the STAC item about it"""


class LinkRecord(Model):
    """A share link as the table has it. Whoever knows its token, of which only a hash is kept, may fetch one file of an
    export, until it expires or its limits are reached."""

    link_id: str
    """The beginning of ``token_hash``"""
    token_hash: str
    """SHA-256, in hexadecimal digits"""
    export_id: str
    owner: str
    file: File
    created_at: AwareDatetime
    expires_at: AwareDatetime
    max_downloads: int | None = None
    max_bytes: int | None = None
    downloads: int = 0
    """Redirects given"""
    total: int = 0
    """Bytes: those that have left, and those that are set aside for redirects given"""
    sent: int = 0
    """Bytes that have left, as far as logs have come"""


TICKET = "x-cutline-ticket"
"""The query parameter that access logs tell of whom a request was. S3 ignores what begins with x-, and logs it"""


class Ticket(Model):
    """Leave to fetch a file. It travels in the signed address and so into S3's access logs, which tell by it for whom
    bytes have left.

    As text: when it was given, a random number, and the link that it was given for::

        20261121T094512.8f0c63a1b2d4.5e884898da28047151d0e56f
    """

    issued_at: AwareDatetime
    number: str = Field(pattern=r"^[0-9a-f]{12}$")
    link_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{24}$")

    @classmethod
    def new(cls, at: dt.datetime, link_id: str | None = None) -> Ticket:
        return cls(issued_at=at, number=secrets.token_hex(6), link_id=link_id)

    @classmethod
    def read(cls, text: str) -> Ticket | None:
        """None where ``text`` is none."""
        found = _TICKET.fullmatch(text)
        if found is None:
            return None
        try:
            at = dt.datetime.strptime(found["at"], _TIME).replace(tzinfo=dt.UTC)
        except ValueError:
            return None
        return cls(issued_at=at, number=found["number"], link_id=found["link"])

    def __str__(self) -> str:
        link = f".{self.link_id}" if self.link_id else ""
        return f"{self.issued_at.astimezone(dt.UTC):{_TIME}}.{self.number}{link}"


_TIME = "%Y%m%dT%H%M%S"
_TICKET = re.compile(r"(?P<at>\d{8}T\d{6})\.(?P<number>[0-9a-f]{12})(?:\.(?P<link>[0-9a-f]{24}))?", re.ASCII)


class Sent(Model):
    """What has left for one ticket on one day, as one access log tells."""

    owner: str
    """Of the export: it is their budget"""
    export_id: str
    ticket: Ticket
    day: dt.date
    """In UTC"""
    nbytes: int
    requests: int


class UsageRow(Model):
    """What has left of one export on one day."""

    day: dt.date
    export_id: str
    nbytes: int
    requests: int


class MonthAccount(Model):
    """A user's bytes of a month."""

    used: int = 0
    """Have left"""
    total: int = 0
    """Those, and what is set aside for redirects given"""
