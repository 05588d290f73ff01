"""Which tiles each worker gets, and what workers know of their parent."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.export import export, plan_request, render_tiles
from cutline.models.plan import TilePlan
from cutline.pool import routes
from cutline.store.workspace import Workspace
from tests.support.scenes import make_request, texture, write_scene


def grid(rows: int, cols: int) -> list[TilePlan]:
    return [TilePlan(row=row, col=col, scenes=(), key="") for row in range(rows) for col in range(cols)]


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


def test_more_workers_than_tiles(tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "scene.tif", texture((1, 700, 300)))
    out = tmp_path / "out.tif"
    done = export(make_request(scene), out, edge=512, workers=5)
    assert (len(done.plan.tiles), done.reused) == (2, 0)
    assert out.is_file()


def test_workers_see_the_environment_of_now_not_of_their_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server that they are forked from is older than a variable that was set since."""
    scene = write_scene(tmp_path / "scene.tif", texture((1, 700, 300)))
    plan = plan_request(make_request(scene), edge=512)
    render_tiles(plan, Workspace(tmp_path / "one"), 2)  # the server runs, if it did not before
    temporary = tmp_path / "elsewhere"
    monkeypatch.setenv("GDAL_SKIP", "GTiff")
    with pytest.raises(Exception, match="scene"):
        render_tiles(plan, Workspace(temporary), 2)
