"""/usage: what has left for an account."""

from __future__ import annotations

import datetime as dt
import re
from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from pydantic import WithJsonSchema

from cutline.errors import InvalidRequest, NotFound
from cutline.models.api_links import UsageView
from cutline.service.api.answers import JSON, PRIVATE, Responses, answer, caller, told
from cutline.service.usage import as_csv, usage_of

router = APIGatewayRouter()  # type: ignore[no-untyped-call]

CSV = "text/csv"
_WEIGHT = re.compile(r"q=([01](?:\.\d{0,3})?)")
Day = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
"""Text: pydantic takes numbers for days, too"""


def _answers() -> Responses:
    responses = told(200, "Bytes and requests, by day and export", UsageView, 404, 413)
    responses[200]["content"][CSV] = {"schema": {"type": "string"}}
    return responses


@router.get(
    "/usage",
    summary="What was downloaded, by day and export",
    description="Counted from S3's access logs, which come within hours. Deliveries to destinations are not in it.",
    operation_id="getUsage",
    tags=["account"],
    responses=_answers(),
)
def used(
    since: Annotated[Day | None, Query(description="The first day, in UTC; by default the month's")] = None,
    until: Annotated[Day | None, Query(description="The last day, included; by default today")] = None,
    owner: Annotated[str | None, Query(max_length=128, description="Another account's, for admins")] = None,
    format: Annotated[  # noqa: A002 - so users say
        Literal["json", "csv"] | None, Query(description="By default what Accept says, else json")
    ] = None,
    accept: Annotated[str | None, Header(alias="Accept", description="text/csv or JSON")] = None,
) -> Response[Any]:
    who = caller(router)
    if owner is not None and not who.may_see(owner):
        raise NotFound(f"there is no account {owner}")
    usage = usage_of(owner or who.sub, _day(since, "since"), _day(until, "until"))
    if format == "csv" or (format is None and _prefers_csv(accept)):
        name = f'attachment; filename="usage-{usage.since}-{usage.until}.csv"'
        return Response(
            200, f"{CSV}; charset=utf-8; header=present", as_csv(usage), {**PRIVATE, "Content-Disposition": name}
        )
    return answer(HTTPStatus.OK, usage)


def _prefers_csv(accept: str | None) -> bool:
    """Whether an Accept has text/csv for the best, or as good as JSON and before it (RFC 9110, 12.5.1)."""
    weights: dict[str, float] = {}
    for wanted in (accept or "").split(","):
        kind, *parameters = (word.strip().lower() for word in wanted.split(";"))
        found = [_WEIGHT.fullmatch(parameter) for parameter in parameters]
        weights[kind] = next((float(each[1]) for each in found if each), 1.0)
    of_csv, of_json = weights.get(CSV, 0.0), weights.get(JSON, 0.0)
    return of_csv > of_json or (of_csv == of_json > 0 and list(weights).index(CSV) < list(weights).index(JSON))


def _day(text: str | None, name: str) -> dt.date | None:
    """Raises InvalidRequest."""
    try:
        day = dt.date.fromisoformat(text) if text is not None else None
        if day is not None and day.isoformat() != text:  # Python knows other forms, too
            raise ValueError(text)
    except ValueError as error:
        wrong = f"{name}: {text!r:.40} is no day; give one as 2026-11-21"
        raise InvalidRequest(wrong, details={"parameter": name}) from error
    return day
