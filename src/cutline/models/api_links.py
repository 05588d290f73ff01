"""What the HTTP API takes and answers about share links and use."""

from __future__ import annotations

import datetime as dt

from pydantic import AwareDatetime, Field

from cutline.models.api import Whole
from cutline.models.base import Model
from cutline.models.traffic import File, UsageRow


class NewLink(Model):
    """A share link to be made."""

    file: File = Field(default="cog", description="The COG, or the STAC item about it")
    expires_at: AwareDatetime | None = Field(
        default=None, description="By default in 7 days; a year ahead at most", examples=["2027-01-31T12:00:00Z"]
    )
    max_downloads: Whole | None = Field(
        default=None, ge=1, le=1_000_000, description="So many redirects; a download that is resumed takes another"
    )
    max_bytes: Whole | None = Field(
        default=None,
        ge=1,
        le=10**15,
        description="So many bytes; each redirect sets those aside to which it leads: the file's, or its Range alone",
    )


class LinkView(Model):
    """A share link as its owner sees it."""

    link_id: str
    url: str | None = Field(
        default=None, description="To be given away. Told once, when it is made: only a hash of it is kept"
    )
    file: File
    created_at: AwareDatetime
    expires_at: AwareDatetime
    max_downloads: int | None = None
    max_bytes: int | None = None
    downloads: int = Field(description="Redirects given")
    bytes_sent: int = Field(description="As far as S3's access logs have come, which takes up to some hours")
    bytes_reserved: int = Field(description="Set aside for redirects of which no log tells yet")


class LinkList(Model):
    """All links of an export, oldest first."""

    links: tuple[LinkView, ...]


class MonthView(Model):
    """The monthly budget of an account."""

    month: str = Field(description="YYYY-MM, in UTC", examples=["2026-11"])
    bytes_limit: int
    bytes_sent: int = Field(description="As far as S3's access logs have come, which takes up to some hours")
    bytes_reserved: int = Field(description="Set aside for redirects of which no log tells yet")


class UsageView(Model):
    """What has left for an account, by day and export."""

    since: dt.date
    until: dt.date = Field(description="The last day, included")
    nbytes: int = Field(description="Of all rows")
    requests: int = Field(description="Of all rows")
    rows: tuple[UsageRow, ...] = Field(description="By day, then export")
    this_month: MonthView
