"""One scene's pixels on the output grid: its bands resampled, its mask applied, its numbers made physical."""

from __future__ import annotations

import functools
import math
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.enums import Interleaving
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from cutline.errors import CutlineError, InvalidScene, SourceUnavailable
from cutline.imagery import environment, open_asset
from cutline.imagery.hrefs import shown
from cutline.imagery.masks import excluded
from cutline.imagery.reader import identify
from cutline.kernel import Image, resample
from cutline.kernel.native import WANTED, WRITTEN
from cutline.kernel.resample import resample_into
from cutline.models.grid import Geobox
from cutline.models.plan import ExportPlan
from cutline.models.request import Resampling
from cutline.models.scene import Asset, Band, Mask, Scene
from cutline.placement import box_of, choose_overview, pixel_scale, reach, wrap_width

_OVERVIEWED: frozenset[Resampling] = frozenset({"bilinear", "cubic", "average"})
"""Methods that may start from an overview: the others promise values that stand in the file itself"""


_MAX_OPEN = 128
"""Files. Systems allow some hundreds, and a median has as many as it has scenes and bands"""


DAMAGE = re.compile(r"decod|code not yet in table|JPEGLib:", re.IGNORECASE)
"""In what libtiff says of a block whose bytes are all there, but are none that a codec has written: it stays so. Bytes
that are missing may be the network's fault"""


_LEAST_CACHE, _MOST_CACHE = 16 << 20, 128 << 20
"""Bytes of decoded blocks that GDAL keeps"""


class OpenFiles:
    """The files used last, open, for all scenes of a plan. Belongs to one process."""

    def __init__(self) -> None:
        self._opened: OrderedDict[tuple[str, int | None], DatasetReader] = OrderedDict()
        self.cache_bytes = _LEAST_CACHE
        """That the scenes read so far want kept, so that a tile finds what the one beside it has decoded"""

    def close(self) -> None:
        while self._opened:
            self._opened.popitem()[1].close()

    def keep(self, nbytes: int) -> None:
        """Let the cache have room for so many bytes, if that is not too much."""
        self.cache_bytes = max(self.cache_bytes, min(nbytes, _MOST_CACHE))

    def get(self, asset: Asset, overview: int | None) -> DatasetReader:
        """Raises the family of CutlineError where the file cannot be opened, or is not what was planned."""
        key = (asset.href, overview)
        if key not in self._opened:
            if asset.identity is not None and identify(asset.href)[1] != asset.identity:
                raise SourceUnavailable("it has changed since the export was planned; run the export again")
            self._opened[key] = open_asset(asset, overview=overview)
            if len(self._opened) > _MAX_OPEN:
                self._opened.popitem(last=False)[1].close()
        self._opened.move_to_end(key)
        return self._opened[key]


class SceneReader:
    """A scene, whose files are opened when it is first asked for pixels."""

    def __init__(self, scene: Scene, plan: ExportPlan, files: OpenFiles) -> None:
        self.scene = scene
        self._plan = plan
        self._files = files
        self._bands = [_named(scene, name) for name in plan.bands]
        self._decoded: dict[str, int] = {}
        """Bytes of the blocks that two neighbouring tiles decode, of each asset"""

    @functools.cached_property
    def box(self) -> tuple[int, int, int, int]:
        """first row, first col, end row, end col of the output pixels that the scene can reach."""
        plan = self._plan
        area = shapely.geometry.shape(plan.area)
        return box_of(plan.geobox, reach(self.scene.footprint, area, plan.geobox, across_180=plan.across_180))

    def read(self, geobox: Geobox, wanted: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """The plan's bands on ``geobox`` where ``wanted`` (rows, cols): (bands, rows, cols) of the plan's dtype, and
        where they are wanted and valid.

        A pixel is valid where every asset has data and the mask, if there is one, does not object. An asset has data
        where all of the bands read do; where bands are only copied, where any does, and a band's gaps stay gaps.
        Raises, naming the scene, SourceUnavailable where a file cannot be read or is no longer what was planned, and
        InvalidScene where a block of it is damaged.
        """
        values = np.empty((len(self._bands), *geobox.shape), self._plan.dtype)
        valid = wanted
        for key, places in self._places.items():
            if not valid.any():
                break
            pixels, valid = self._resample(self.scene.assets[key], self._indexes(places), geobox, valid)
            for place, band_pixels in zip(places, pixels, strict=True):
                values[place] = band_pixels if self._plan.stored else _physical(band_pixels, self._bands[place])
        if self.scene.mask is not None and valid.any():
            valid = valid & ~self._masked(self.scene.mask, geobox, valid)
        return values, valid

    def read_into(self, geobox: Geobox, values: NDArray[Any], state: NDArray[np.uint8], at: tuple[int, int]) -> None:
        """``read`` into arrays that are there, as ``kernel.resample_into`` has it: without a copy, where the bands of
        one file need nothing but resampling."""
        if self._is_plain:
            (key, places), *_ = self._places.items()
            with self._image(self.scene.assets[key], self._plan.resampling) as image:
                resample_into(
                    image, self._indexes(places), geobox, self._plan.resampling, values=values, state=state, at=at
                )
            return
        part = tuple(slice(start, start + length) for start, length in zip(at, geobox.shape, strict=True))
        fresh, valid = self.read(geobox, state[part] == WANTED)
        np.copyto(values[(slice(None), *part)], fresh, where=valid)
        state[part][valid] = WRITTEN

    @functools.cached_property
    def _places(self) -> dict[str, list[int]]:
        """For each asset, which of the plan's bands it holds."""
        keys = dict.fromkeys(band.asset for band in self._bands)
        return {key: [place for place, band in enumerate(self._bands) if band.asset == key] for key in keys}

    @property
    def _is_plain(self) -> bool:
        """One file whose stored numbers are the plan's, and no mask."""
        return (
            len(self._places) == 1
            and self._plan.stored
            and self.scene.mask is None
            and {band.dtype for band in self._bands} == {self._plan.dtype}
        )

    def _indexes(self, places: list[int]) -> list[int]:
        return [self._bands[place].index for place in places]

    def _masked(self, mask: Mask, geobox: Geobox, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        asset = self.scene.assets[mask.asset]
        # Its nodata is a class like any other; what matters is whether the pixel lies in the file.
        plain = asset.model_copy(update={"validity": "all", "nodata": None})
        with self._image(plain, "nearest") as image:
            classes, known = resample(image, [mask.index], geobox, "nearest", wanted)
        return excluded(mask, classes[0]) & known

    def _resample(
        self, asset: Asset, indexes: list[int], geobox: Geobox, wanted: NDArray[np.bool_]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        with self._image(asset, self._plan.resampling) as image:
            return resample(image, indexes, geobox, self._plan.resampling, wanted)

    @contextmanager
    def _image(self, asset: Asset, method: Resampling) -> Iterator[Image]:
        """The asset's file, or the overview of it that suits the plan, open and to be read inside."""
        if method in _OVERVIEWED:
            overview, scale = choose_overview(asset, self._plan.geobox)
        else:
            overview, scale = None, pixel_scale(asset, self._plan.geobox)
        with _told(self.scene, asset), environment(GDAL_CACHEMAX=self._files.cache_bytes):
            dataset = self._files.get(asset, overview)
            if asset.href not in self._decoded:
                self._decoded[asset.href] = _decoded_bytes(dataset, [self._plan.edge / side for side in scale])
                self._files.keep(sum(self._decoded.values()))
            yield Image(
                dataset=dataset,
                asset=asset,
                scale=scale,
                world=wrap_width(asset.crs),
                every_band=not self._plan.stored,
            )


def _decoded_bytes(dataset: DatasetReader, tile: Sequence[float]) -> int:
    """Of the blocks that two neighbouring tiles touch; ``tile``: pixels of the file along one's width and height."""
    rows, cols = dataset.block_shapes[0]
    across = min(math.ceil(2 * tile[0] / cols) + 1, math.ceil(dataset.width / cols))
    down = min(math.ceil(tile[1] / rows) + 1, math.ceil(dataset.height / rows))
    together = dataset.count if dataset.interleaving == Interleaving.pixel else 1
    return int(across * down * rows * cols * together * np.dtype(dataset.dtypes[0]).itemsize)


def _named(scene: Scene, name: str) -> Band:
    band = scene.band(name)
    assert band is not None, f"the plan promised band {name} in scene {scene.id}"  # noqa: S101 - planned so
    return band


def _physical(pixels: NDArray[Any], band: Band) -> NDArray[np.floating[Any]]:
    values = pixels.astype(np.float64)
    values *= band.scale
    values += band.offset
    if band.stretch is not None:
        low, high = band.stretch.low, band.stretch.high
        values -= low
        values *= 255.0 / (high - low) if high > low else 0.0
        np.clip(values, 0.0, 255.0, out=values)
    return values


@contextmanager
def _told(scene: Scene, asset: Asset) -> Iterator[None]:
    """GDAL's errors, and ours about one file, become one sentence that names the scene."""
    try:
        yield
    except RasterioError as error:
        subject, cause = f"scene {scene.id} ({shown(asset.href)})", _cause(error)
        if asset.driver == "GTiff" and DAMAGE.search(cause):
            raise InvalidScene(f"{subject} is damaged: {cause}; replace the file") from error
        raise SourceUnavailable(f"{subject} could not be read: {cause}") from error
    except CutlineError as error:
        raise SourceUnavailable(f"scene {scene.id} ({shown(asset.href)}): {error.message}") from error


def _cause(error: BaseException) -> str:
    """The deepest message of the chain: rasterio wraps GDAL's own in "Read or write failed"."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)
