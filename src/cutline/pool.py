"""Worker processes (worker.py), and which tiles each of them renders."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from cutline import forks, worker
from cutline.errors import InternalError
from cutline.models.plan import ExportPlan, TilePlan
from cutline.models.receipt import TileReceipt
from cutline.signals import undisturbed


def rendered(
    plan: ExportPlan, folder: Path, todo: Sequence[int], workers: int
) -> Generator[tuple[int, TileReceipt], None, None]:
    """Render the tiles ``todo`` (indices into the plan's) into a workspace's ``folder``, in the order they get done.

    The first that fails ends all workers. Raises the family of CutlineError.
    """
    with _started(plan, folder, workers) as pools:
        crew = Crew(plan, pools, todo)
        for at in range(workers):
            crew.give(at)
        while crew.pending:
            for future in wait(crew.pending, return_when=FIRST_COMPLETED).done:
                index, at = crew.pending.pop(future)
                with _told_of_death(plan.tiles[index]):
                    receipt = future.result()
                crew.give(at)
                yield index, receipt


def routes(tiles: Sequence[TilePlan], todo: Sequence[int], workers: int) -> list[deque[int]]:
    """For each worker its part of ``todo``, as a way through neighbours: there and back along the rows of tiles, so
    that what a tile has read at its border is still at hand for the next."""
    way = sorted(todo, key=lambda index: (tiles[index].row, tiles[index].col * (-1) ** tiles[index].row))
    return [deque(way[at * len(way) // workers : (at + 1) * len(way) // workers]) for at in range(workers)]


def kept_for_the_end(tiles: Sequence[TilePlan], todo: Sequence[int], workers: int) -> deque[int]:
    """The smallest tiles, as much of them as all workers do while one does the largest; larger ones first.

    Whoever is idle takes one of them while others are still at a large tile: without them it would wait for those.
    """
    smallest = deque(sorted(todo, key=lambda index: tiles[index].pixels))
    room = workers * tiles[smallest[-1]].pixels
    kept: deque[int] = deque()
    while smallest and tiles[smallest[0]].pixels <= room:
        room -= tiles[smallest[0]].pixels
        kept.appendleft(smallest.popleft())
    return kept


class Crew:
    """Workers, each a pool of one, and what they have to do."""

    def __init__(self, plan: ExportPlan, pools: Sequence[ProcessPoolExecutor], todo: Sequence[int]) -> None:
        self._plan, self._pools = plan, pools
        self._last = kept_for_the_end(plan.tiles, todo, len(pools))
        self._queues = routes(plan.tiles, sorted(set(todo) - set(self._last)), len(pools))
        self.pending: dict[Future[TileReceipt], tuple[int, int]] = {}
        """What is being done: which tile, by which worker"""

    def give(self, at: int) -> None:
        """An idle worker its next tile; when it has none left the last one of who has most; then one of the small.

        Never one more than it is at: nobody else could take what waits behind that.
        """
        own, fullest = self._queues[at], max(self._queues, key=len)
        if fullest:
            index = own.popleft() if own else fullest.pop()
        elif self._last:
            index = self._last.popleft()
        else:
            return
        tile = self._plan.tiles[index]
        with _told_of_death(tile), undisturbed(signal.SIGINT, signal.SIGTERM):
            # These reach the whole group, but a worker, which may be spawned here, leaves them to us.
            self.pending[self._pools[at].submit(worker.render, tile)] = index, at


@contextmanager
def _started(plan: ExportPlan, folder: Path, workers: int) -> Iterator[list[ProcessPoolExecutor]]:
    """One pool a worker, so that each has tiles of its own. They end at once when we leave by an error."""
    without_tiles = plan.model_copy(update={"tiles": ()})  # each comes with its task
    forked, given = forks.context(), (without_tiles.model_dump_json(), folder, dict(os.environ))
    pools = [
        ProcessPoolExecutor(1, mp_context=forked, initializer=worker.start, initargs=given) for _ in range(workers)
    ]
    try:
        yield pools
    except BaseException:
        for pool in pools:
            for process in list((pool._processes or {}).values()):
                process.kill()
        raise
    finally:
        for wait_for_it in (False, True):  # all are told to end before any is waited for
            for pool in pools:
                pool.shutdown(wait=wait_for_it, cancel_futures=True)


@contextmanager
def _told_of_death(tile: TilePlan) -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise InternalError(
            f"a worker died near tile ({tile.row}, {tile.col}), perhaps for lack of memory; the same command goes on "
            "from the finished tiles, with fewer --workers if need be"
        ) from error
