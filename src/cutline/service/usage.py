"""What has left for an account, by day and export."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools

from cutline.errors import InvalidRequest, TooLarge
from cutline.models.api_links import MonthView, UsageView
from cutline.models.record import now
from cutline.models.traffic import UsageRow
from cutline.settings import service
from cutline.store.metering import Traffic

MAX_DAYS, MAX_ROWS = 366, 20_000
"""Of one answer, which has 6 MB at most"""
COLUMNS = tuple(UsageRow.model_fields)


def usage_of(owner: str, since: dt.date | None, until: dt.date | None) -> UsageView:
    """Of the days from ``since`` to ``until``, both included; by default of this month so far.

    Raises InvalidRequest for days in the wrong order or too many, TooLarge for too many rows.
    """
    settings, at = service(), now()
    until = until or at.date()
    since = since or until.replace(day=1)
    if not 0 <= (until - since).days < MAX_DAYS:
        wrong = f"since {since} until {until}: ask for 1 to {MAX_DAYS} days, the first one first"
        raise InvalidRequest(wrong, details={"parameter": "since"})
    limit = settings.limits.bytes_a_month
    traffic = Traffic(settings.table, bytes_a_month=limit)
    rows = tuple(itertools.islice(traffic.days(owner, since, until), MAX_ROWS + 1))
    if len(rows) > MAX_ROWS:
        raise TooLarge(f"an answer has {MAX_ROWS:,} rows at most; ask for fewer days")
    account = traffic.account(owner, at)
    return UsageView(
        since=since,
        until=until,
        nbytes=sum(row.nbytes for row in rows),
        requests=sum(row.requests for row in rows),
        rows=rows,
        this_month=MonthView(
            month=f"{at:%Y-%m}",
            bytes_limit=limit,
            bytes_sent=account.used,
            bytes_reserved=max(account.total - account.used, 0),
        ),
    )


def as_csv(usage: UsageView) -> str:
    """One line a row, with the names of the columns first (RFC 4180)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(row.model_dump(mode="json").values() for row in usage.rows)
    return text.getvalue()
