"""What the functions logged of an export, for whoever wants to know more than its audit says."""

from __future__ import annotations

import base64
import datetime as dt
import heapq
import itertools
import json
from collections.abc import Iterator, Sequence
from operator import itemgetter

from cutline.errors import InvalidRequest
from cutline.models.audit import LogLine, Logs
from cutline.models.record import ExportRecord, now
from cutline.settings import service
from cutline.store.log_groups import Written, written
from cutline.store.pages import stray_cursor

STEPS = ("plan", "render_tile", "assemble", "deliver", "notify", "reconcile")
FUNCTIONS = (*STEPS, "submit")
"""submit is shown only by itself: it logs every look that somebody takes at the export"""
LATER = dt.timedelta(minutes=20)
"""After an export's end: a Lambda goes on for up to 15 minutes, and an event may be late"""
DETAILS = ("code", "tile", "tiles", "scene", "delivery_id", "request")
"""What else of a line is shown. Stack traces and whatever a library says are not"""


def logs_of(record: ExportRecord, *, function: str | None = None, limit: int = 100, cursor: str | None = None) -> Logs:
    """A page of ``limit`` lines, of all steps or of one function. Raises InvalidRequest for a function or a cursor that
    is none of ours."""
    if function not in (None, *FUNCTIONS):
        known = ", ".join(FUNCTIONS)
        raise InvalidRequest(f"there is no function {function}; there are {known}", details={"parameter": "function"})
    begin = _milliseconds(record.created_at)
    until = _milliseconds(record.updated_at + LATER if record.ended else now())
    since, seen = _from_cursor(cursor, range(begin, until + 1)) if cursor else (begin, ())
    everything = heapq.merge(
        *(_lines(record, name, since, until) for name in (STEPS if function is None else (function,))),
        key=itemgetter(0),
    )
    page = list(itertools.islice(((found, line) for found, line in everything if found.id not in seen), limit + 1))
    more, page = len(page) > limit, page[:limit]
    return Logs(lines=tuple(line for _, line in page), cursor=_cursor(page, since, seen) if more else None)


def _lines(record: ExportRecord, function: str, since: int, until: int) -> Iterator[tuple[Written, LogLine]]:
    group = f"/aws/lambda/{service().function_prefix}{function}"
    for found in written(group, record.export_id, since, until):
        try:
            told = json.loads(found.text)
        except ValueError:  # the runtime's own lines, and those of libraries
            continue
        if isinstance(told, dict) and told.get("export_id") == record.export_id:
            yield (
                found,
                LogLine(
                    at=dt.datetime.fromtimestamp(found.at / 1000, dt.UTC),
                    function=function,
                    level=str(told.get("level", "INFO")),
                    message=str(told.get("message", "")),
                    attempt=told.get("attempt"),
                    details={name: told[name] for name in DETAILS if name in told},
                ),
            )


def _cursor(page: Sequence[tuple[Written, LogLine]], since: int, seen: Sequence[str]) -> str:
    """The time of the last line, and which of that millisecond were shown."""
    last = page[-1][0].at
    shown = [found.id for found, _ in page if found.at == last] + (list(seen) if last == since else [])
    return base64.urlsafe_b64encode(json.dumps([last, shown]).encode()).decode().rstrip("=")


def _from_cursor(cursor: str, times: range) -> tuple[int, tuple[str, ...]]:
    """``times``: within which there are lines. CloudWatch refuses others, and what is no whole number."""
    try:
        since, seen = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if type(since) is not int or since not in times:
            raise ValueError
        return since, tuple(map(str, seen))
    except (ValueError, TypeError, RecursionError) as error:
        raise stray_cursor() from error


def _milliseconds(at: dt.datetime) -> int:
    return int(at.timestamp() * 1000)
