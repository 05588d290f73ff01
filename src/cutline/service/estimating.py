"""What an export would take, said before it is asked for: the headers of its scenes are read, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable

from cutline.errors import TooLarge
from cutline.estimate import estimate as estimate_plan
from cutline.export import plan_request
from cutline.models.api import EstimateView, ExportBody
from cutline.models.plan import ExportPlan
from cutline.service.callers import Caller
from cutline.service.sources import permit, told_of
from cutline.service.submitting import check
from cutline.settings import service

MAX_ASSETS = 200
"""Files whose headers are read while somebody waits; an export itself may have many more"""
AT_ONCE = 1000
"""Tiles that AWS renders at the same time"""


def estimate(body: ExportBody, caller: Caller, *, enough_time: Callable[[], bool] = lambda: True) -> EstimateView:
    """What ``body`` would take. Raises TooLarge beyond MAX_ASSETS files or where reading them takes longer than the
    caller may wait, the family of InvalidRequest with a pointer into ``body``, and SourceUnavailable."""
    hosts = service().source_hosts
    _, found = check(body, caller)
    with told_of(body):
        plan = plan_request(found.request, statistics=False, permit=_sparing(permit(hosts), enough_time))
    figures = estimate_plan(plan, min(len(plan.tiles), AT_ONCE))
    return EstimateView(
        **figures.model_dump(exclude={"aws_cost_usd", "warnings", "seconds"}),
        scenes=len(plan.scenes),
        seconds=figures.seconds,
        cost_usd=figures.aws_cost_usd,
        warnings=figures.warnings + _beyond(plan, body, figures.aws_cost_usd.high),
        findings=found.findings,
    )


def _sparing(allow: Callable[[str], None], enough_time: Callable[[], bool]) -> Callable[[str], None]:
    """``allow``, for so many files and as long as there is time."""
    opened = 0

    def check_and_count(href: str) -> None:
        nonlocal opened
        allow(href)
        opened += 1
        if opened > MAX_ASSETS:
            raise TooLarge(f"an estimate reads {MAX_ASSETS} files at most; take fewer scenes, or submit the export")
        if not enough_time():
            raise TooLarge(f"reading {opened} files took too long for an estimate; take fewer, or submit the export")

    return check_and_count


def _beyond(plan: ExportPlan, body: ExportBody, cost: float) -> tuple[str, ...]:
    """What would keep this from being exported to its end."""
    limit = service().limits.pixels_an_export
    told = []
    if plan.pixels > limit:
        told.append(f"{plan.pixels:,} pixels are more than the {limit:,} that an export may have")
    if body.max_cost is not None and cost > body.max_cost:
        told.append(f"it may cost up to ${cost:.2f}, and would be stopped at max_cost, ${body.max_cost:.2f}")
    return tuple(told)
