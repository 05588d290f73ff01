"""What exports of 1, 10 and 100 gigapixels take on AWS: ``python -m benchmarks.simulate_service`` prints the tables of
docs/SCALING.md.

Tiles, items, segments and parts are the library's own, for a square that is all inside its area; a tile's seconds, cold
starts and the speed of S3 are assumptions, set out in ``Assumed``; the rest follows event by event.
"""

from __future__ import annotations

import heapq
import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cutline.cog.parts import MAX_PARTS, plan_parts, runs
from cutline.estimate import Prices
from cutline.grid import BLOCK, Tiling
from cutline.models.grid import Geobox
from cutline.models.plan import CogSpec
from cutline.plan import MAX_TILES, tile_edge
from cutline.store.plans import MAX_ITEMS, groups

ASL = Path(__file__).parents[1] / "statemachine/export.asl.json"
SEED = 20261121


@dataclass(frozen=True)
class Assumed:
    """Not computed: measured here and stretched for Lambda, or read in AWS's documents."""

    seconds_a_tile: float = 6.0
    """Of 4096² pixels, u8 × 3, bilinear, DEFLATE-6, on 3 GB of Lambda with its scene in S3, as of 2026-11. A core of
    ours takes 1.9 (BENCHMARKS.md); the rest is for a slower core and for reading over the network"""
    scatter: float = 0.35
    """Sigma of the logarithm of a tile's seconds"""
    slow_tiles: float = 0.01
    """So many tiles take five times as long: a source that stumbles, a retry"""
    cold_start: tuple[float, float] = (2.0, 5.0)
    """Seconds of a worker's first call: layer, imports, plan"""
    plan: tuple[float, float] = (5.0, 0.0005)
    """Seconds, and seconds a tile"""
    compressed: float = 0.45
    """Bytes of a block over its raw bytes"""
    receipts_a_second: float = 600.0
    """That assembling reads with 32 at once"""
    parts_a_second: float = 60.0
    """That S3 copies, with 16 at once: a quarter of a second each"""
    around: float = 3.0
    """Seconds of all other states"""


class Limits(NamedTuple):
    """AWS's, for one execution or a second (docs of 2026-11, the least of all regions)."""

    children: int = 10_000
    history: int = 25_000
    state: int = 262_144
    transitions_a_second: int = 800
    concurrency: int = 1_000
    """Of an account that has asked for no more; also what a function gains in 10 s"""
    lambda_seconds: int = 900
    writes_a_second: int = 3_500
    execution_seconds: int = 3_600


LAMBDA_GB = 3.0
EVENTS_OF_PARENT, EVENTS_OF_CHILD, EVENTS_OF_INVOCATION = 75, 10, 8
"""Of a history without retries; see tests/events"""
TRANSITIONS_OF_PARENT, TRANSITIONS_OF_CHILD = 20, 4


class Run(NamedTuple):
    """One simulated export."""

    gigapixels: float
    edge: int
    tiles: int
    items: int
    plan_seconds: float
    render_seconds: float
    assemble_seconds: float
    seconds: float
    gb_seconds: float
    cost: float
    at_once: int
    parts: int
    """Of the longest upload"""
    nbytes: int
    longest_item: float
    """Seconds"""
    writes_a_second: float
    transitions_a_second: float
    state_bytes: int
    invocations_of_child: int


def simulate(gigapixels: float, concurrency: int = 1_000) -> Run:
    """A square of so many gigapixels, three bands of a byte."""
    assumed, limits, prices, rng = Assumed(), Limits(), Prices(), random.Random(SEED)
    side = round(math.sqrt(gigapixels * 1e9))
    spec = CogSpec(
        bands=("red", "green", "blue"), dtype="uint8", profile="deflate", nodata=0, masked=False, planar=False,
        overview="average",
    )  # fmt: skip
    geobox = Geobox(crs="EPSG:3857", resolution=(1, 1), col=0, row=0, shape=(side, side))
    edge = tile_edge(spec, geobox)
    tiling = Tiling(geobox.shape, edge)
    items = groups(tiling.rows * tiling.cols)
    tiles = sum(map(len, items))

    plan_seconds = assumed.plan[0] + assumed.plan[1] * tiles
    finish, busy, longest, at_once = _render(items, edge, concurrency, rng)
    segments = _segments(tiling, assumed.compressed, rng)
    header = 2 * 12 * math.prod(-(-size // BLOCK) for size in geobox.shape)
    uploads = _uploads(header, segments)
    parts = sum(uploads)
    assemble_seconds = tiles / assumed.receipts_a_second + parts / assumed.parts_a_second

    puts = tiles * (tiling.levels + 2)
    gb_seconds = LAMBDA_GB * (busy + plan_seconds + assemble_seconds)
    transitions = TRANSITIONS_OF_PARENT + TRANSITIONS_OF_CHILD * len(items)
    cost = (
        gb_seconds * prices.lambda_gb_second
        + transitions * prices.step_functions_transition
        + (puts + parts) * prices.s3_put
        + 60 * tiles * prices.s3_get
        + 3 * tiles * prices.dynamodb_write
    )
    return Run(
        gigapixels=gigapixels,
        edge=edge,
        tiles=tiles,
        items=len(items),
        plan_seconds=plan_seconds,
        render_seconds=finish,
        assemble_seconds=assemble_seconds,
        seconds=plan_seconds + finish + assemble_seconds + assumed.around,
        gb_seconds=gb_seconds,
        cost=cost,
        at_once=at_once,
        parts=max(uploads),
        nbytes=sum(segments),
        longest_item=longest,
        writes_a_second=puts / finish,
        transitions_a_second=transitions / finish,
        state_bytes=_state_bytes(items),
        invocations_of_child=math.ceil(longest / (0.6 * limits.lambda_seconds)),
    )


def _render(items: Sequence[range], edge: int, concurrency: int, rng: random.Random) -> tuple[float, float, float, int]:
    """Seconds until the last item, seconds of all workers, those of the longest item, and how many worked at once.

    Step Functions starts children as fast as its transitions are refilled; Lambda gives so many workers at once and as
    many more each ten seconds; a worker is cold once.
    """
    assumed, limits = Assumed(), Limits()
    free: list[float] = []
    """When each warm worker is idle"""
    working: list[float] = []
    finish = busy = longest = 0.0
    at_once = 0
    for number, item in enumerate(items):
        asked = number * TRANSITIONS_OF_CHILD / limits.transitions_a_second
        while working and working[0] <= asked:
            heapq.heappush(free, heapq.heappop(working))
        room = min(concurrency, limits.concurrency * (1 + int(asked / 10)))
        if free:
            heapq.heappop(free)
            began, cold = asked, 0.0
        elif len(working) < room:
            began, cold = asked, rng.uniform(*assumed.cold_start)
        else:
            began, cold = heapq.heappop(working), 0.0
        seconds = cold + sum(_tile_seconds(edge, assumed, rng) for _ in item)
        heapq.heappush(working, began + seconds)
        at_once = max(at_once, len(working))
        finish, busy, longest = max(finish, began + seconds), busy + seconds, max(longest, seconds)
    return finish, busy, longest, at_once


class Together(NamedTuple):
    """Simulated exports that begin at once and share a function's Lambdas."""

    exports: int
    seconds: float
    """Of rendering, until the last has all its items"""
    throttled: int
    """Tries that found no Lambda"""
    given_up: int
    """Items, after all their tries"""


def together(exports: int, run: Run, lambdas: int) -> Together:
    """Each has the items of ``run``, of 0.7 to 1 times its longest one's seconds, and asks again as the ASL says."""
    machine = json.loads(ASL.read_text())["States"]["RenderTiles"]["ItemProcessor"]["States"]["RenderTile"]
    [retry] = [each for each in machine["Retry"] if "Lambda.TooManyRequestsException" in each["ErrorEquals"]]
    rng = random.Random(SEED)
    waiting = [(rng.uniform(0, 5), number, 0) for number in range(exports * run.items)]
    heapq.heapify(waiting)
    busy: list[float] = []
    throttled = given_up = 0
    while waiting:
        now, number, tries = heapq.heappop(waiting)
        while busy and busy[0] <= now:
            heapq.heappop(busy)
        if len(busy) < lambdas:
            heapq.heappush(busy, now + run.longest_item * rng.uniform(0.7, 1))
        elif tries == retry["MaxAttempts"]:
            given_up += 1
        else:
            throttled += 1
            longest = min(retry["MaxDelaySeconds"], retry["IntervalSeconds"] * retry["BackoffRate"] ** tries)
            heapq.heappush(waiting, (now + rng.uniform(0, longest), number, tries + 1))  # full jitter
    return Together(exports, max(busy), throttled, given_up)


def _tile_seconds(edge: int, assumed: Assumed, rng: random.Random) -> float:
    usual = assumed.seconds_a_tile * (edge / 4096) ** 2 * rng.lognormvariate(-(assumed.scatter**2) / 2, assumed.scatter)
    return usual * (5 if rng.random() < assumed.slow_tiles else 1)


def _segments(tiling: Tiling, compressed: float, rng: random.Random) -> list[int]:
    """Bytes of every segment in the file's order: the coarsest level first."""
    return [
        round(3 * math.prod(tiling.tile_shape(row, col, level)) * compressed * rng.uniform(0.7, 1.3))
        for level in reversed(range(tiling.levels))
        for row, col in tiling
    ]


def _uploads(header: int, segments: list[int]) -> list[int]:
    """The parts of each upload: one, or one for each run of segments and one that joins those."""
    parts = plan_parts(header, segments)
    if parts is not None:
        return [len(parts)]
    each = [segments[run.start : run.stop] for run in runs(len(segments))]
    joined = plan_parts(header, list(map(sum, each)))
    counts = [plan_parts(0, some) for some in each]
    return [len(some or ()) for some in [*counts, joined]]


def _state_bytes(items: Sequence[range]) -> int:
    """The largest input of a state: a child's, with the longest list of tiles."""
    task = {
        "export_id": "x" * 26,
        "attempt": 1,
        "plan_href": "s3://" + "b" * 63 + "/exports/" + "x" * 26 + "/1/plan.json",
    }
    return max(len(json.dumps({**task, "tiles": list(item)})) for item in items)


def main() -> None:
    """The tables."""
    sizes = [simulate(gigapixels) for gigapixels in (1, 10, 100)]
    limits = Limits()
    print(
        "| Gpx | tiles | items | plan s | render s | assemble s | **in all s** | workers | GB-s | **cost $** | COG GB |"
    )
    print("| --: " * 11 + "|")
    for run in sizes:
        print(
            f"| {run.gigapixels:g} | {run.tiles:,} of {run.edge}² | {run.items:,} | {run.plan_seconds:.0f} | "
            f"{run.render_seconds:.0f} | {run.assemble_seconds:.0f} | **{run.seconds:.0f}** | {run.at_once:,} | "
            f"{run.gb_seconds:,.0f} | **{run.cost:.2f}** | {run.nbytes / 1e9:.1f} |"
        )
    print("\n| limit | AWS's | 1 Gpx | 10 Gpx | 100 Gpx | room at 100 Gpx |")
    print("| --- | --: | --: | --: | --: | --: |")
    rows = [
        ("children of a distributed map", limits.children, [run.items for run in sizes]),
        ("tiles of a plan (ours)", MAX_TILES, [run.tiles for run in sizes]),
        ("items of a map (ours)", MAX_ITEMS, [run.items for run in sizes]),
        ("events of the parent's history", limits.history, [EVENTS_OF_PARENT] * 3),
        ("events of a child's history", limits.history,
         [EVENTS_OF_CHILD + EVENTS_OF_INVOCATION * run.invocations_of_child for run in sizes]),
        ("bytes of a state", limits.state, [run.state_bytes for run in sizes]),
        ("Lambdas at once", limits.concurrency, [run.at_once for run in sizes]),
        ("transitions a second", limits.transitions_a_second, [run.transitions_a_second for run in sizes]),
        ("seconds of the longest item", limits.lambda_seconds, [run.longest_item for run in sizes]),
        ("seconds of assembling", limits.lambda_seconds, [run.assemble_seconds for run in sizes]),
        ("S3 writes a second under segments/", limits.writes_a_second, [run.writes_a_second for run in sizes]),
        ("parts of an upload", MAX_PARTS, [run.parts for run in sizes]),
        ("seconds of an execution", limits.execution_seconds, [run.seconds for run in sizes]),
    ]  # fmt: skip
    for name, limit, values in rows:
        told = " | ".join(f"{value:,.0f}" for value in values)
        print(f"| {name} | {limit:,} | {told} | {limit / values[-1]:,.1f} × |")
    print("\n| exports of 100 Gpx at once | render s | tries without a Lambda | items given up |")
    print("| --: | --: | --: | --: |")
    for exports in (1, 2, 4):
        shared = together(exports, sizes[-1], lambdas=sizes[-1].items)
        print(f"| {exports} | {shared.seconds:.0f} | {shared.throttled:,} | {shared.given_up} |")


if __name__ == "__main__":
    main()
