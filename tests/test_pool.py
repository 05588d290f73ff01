"""Which tiles each worker gets, and what workers know of their parent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline import forks
from cutline.cli import WORKER
from cutline.errors import SourceUnavailable
from cutline.export import export, plan_request, render_tiles
from cutline.models.plan import ExportPlan, TilePlan
from cutline.models.receipt import TileReceipt
from cutline.pool import Crew, kept_for_the_end, routes
from cutline.store.workspace import Folder
from tests.support.scenes import make_request, texture, write_scene


def grid(rows: int, cols: int) -> list[TilePlan]:
    return [TilePlan(row=row, col=col, scenes=(), pixels=1, key="") for row in range(rows) for col in range(cols)]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 8), st.data())
def test_every_tile_is_on_one_route_and_routes_are_alike_in_length(
    rows: int, cols: int, workers: int, data: st.DataObject
) -> None:
    tiles = grid(rows, cols)
    todo = sorted(data.draw(st.sets(st.sampled_from(range(len(tiles))), min_size=1)))
    found = routes(tiles, todo, workers)
    assert sorted(index for route in found for index in route) == todo
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_a_route_goes_from_neighbour_to_neighbour() -> None:
    tiles = grid(4, 5)
    for route in routes(tiles, range(20), 2):
        steps = zip(route, list(route)[1:], strict=False)
        assert all(abs(tiles[a].row - tiles[b].row) + abs(tiles[a].col - tiles[b].col) == 1 for a, b in steps)


class Pool:
    """Of one worker, who never gets done."""

    def __init__(self) -> None:
        self.given: list[TilePlan] = []

    def submit(self, _function: object, tile: TilePlan) -> Future[TileReceipt]:
        self.given.append(tile)
        return Future()


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), st.integers(1, 8))
def test_the_smallest_are_kept_for_the_end(pixels: list[int], workers: int) -> None:
    tiles = [TilePlan(row=0, col=col, scenes=(), pixels=count, key="") for col, count in enumerate(pixels)]
    kept = [pixels[index] for index in kept_for_the_end(tiles, range(len(tiles)), workers)]
    others = sorted((Counter(pixels) - Counter(kept)).elements())
    assert kept == sorted(kept, reverse=True) == sorted(pixels)[: len(kept)][::-1]
    assert sum(kept) <= workers * max(pixels)
    assert not others or sum(kept) + others[0] > workers * max(pixels)


def crew(tiles: Sequence[TilePlan], workers: int) -> tuple[Crew, list[Pool]]:
    plan, pools = ExportPlan.model_construct(tiles=tuple(tiles)), [Pool() for _ in range(workers)]
    return Crew(plan, pools, range(len(tiles))), pools  # type: ignore[arg-type]


@pytest.mark.parametrize(("tiles", "workers"), [(2, 2), (8, 8), (3, 5), (12, 4)])
def test_each_gets_one_tile_so_that_nobody_idles_while_another_has_one_waiting(tiles: int, workers: int) -> None:
    team, pools = crew(grid(1, tiles), workers)
    for at in range(workers):
        team.give(at)
    assert sorted(len(pool.given) for pool in pools) == [0] * (workers - tiles) + [1] * min(tiles, workers)


def test_who_is_done_takes_the_last_of_who_has_most_and_the_small_ones_at_the_end() -> None:
    large = [tile.model_copy(update={"pixels": 9}) for tile in grid(1, 8)]
    small = [TilePlan(row=1, col=col, scenes=(), pixels=col + 5, key="") for col in range(3)]
    team, pools = crew([*small, *large], 2)
    for _ in range(4):
        team.give(0)
    assert [tile.col for tile in pools[0].given] == [0, 1, 2, 3]
    for _ in range(8):  # one more than there is
        team.give(0)
    assert [(tile.row, tile.col) for tile in pools[0].given[4:]] == [
        (0, 7),
        (0, 6),
        (0, 5),
        (0, 4),
        (1, 2),
        (1, 1),
        (1, 0),
    ]


def test_more_workers_than_tiles(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", texture((1, 700, 300)))
    out = tmp_path / "out.tif"
    done = export(make_request(scene), out, edge=512, workers=5)
    assert (len(done.plan.tiles), done.reused) == (2, 0)
    assert out.is_file()


@pytest.mark.parametrize("forked", [True, False])
def test_workers_see_the_environment_of_now_not_of_their_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forked: bool
) -> None:
    """The server that they are forked from is older than a variable that was set since."""
    monkeypatch.setattr(forks, "_started", False)
    if forked:
        forks.start_server(WORKER)
    scene = write_scene(tmp_path / "scene.tif", texture((1, 700, 300)))
    plan = plan_request(make_request(scene), edge=512)
    monkeypatch.setenv("GDAL_SKIP", "GTiff")
    with pytest.raises(SourceUnavailable, match="not recognized as being in a supported file format"):
        render_tiles(plan, Folder(tmp_path / "work"), 2)


def test_without_a_server_workers_are_spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room() -> None:
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr(forks, "_started", False)
    monkeypatch.setattr("multiprocessing.forkserver.ensure_running", no_room)
    forks.start_server(WORKER)
    assert forks.context().get_start_method() == "spawn"
