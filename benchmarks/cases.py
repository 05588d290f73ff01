"""The work of the table: one row a case, with what cutline is to reach in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.scenes import RESOLUTION, Bounds, Scenes, stac_item, write_area

GDALWARP, EXACT, ODC, CUTLINE = "gdalwarp", "gdalwarp -et 0", "odc-stac", "cutline"
ENGINES = (GDALWARP, EXACT, ODC, CUTLINE)


@dataclass(frozen=True)
class Case:
    """A row."""

    key: str
    title: str
    bands: tuple[str, ...]
    resampling: str
    profile: str
    level: int
    peak_mb: int
    """At most"""
    faster: Mapping[str, float]
    """At least, engine by engine"""
    engines: tuple[str, ...] = ENGINES

    @property
    def masked(self) -> bool:
        """Whether a mask says where there is data, or else nodata 0."""
        return self.profile == "jpeg"


RGB = ("red", "green", "blue")
BGRN = ("blue", "green", "red", "nir")

CASES = (
    Case(
        "u8-deflate", "u8 × 3, bilinear, DEFLATE-6", RGB, "bilinear", "deflate", 6,
        peak_mb=450, faster={GDALWARP: 3.5, EXACT: 7.0},
    ),
    Case(
        "u16-zstd", "u16 × 4, cubic, ZSTD-1", BGRN, "cubic", "zstd", 1,
        peak_mb=700, faster={GDALWARP: 5.0, EXACT: 7.5},
    ),
    Case(
        "u8-jpeg", "u8 × 3, cubic, JPEG-85, mask", RGB, "cubic", "jpeg", 85,
        peak_mb=600, faster={GDALWARP: 3.5}, engines=(GDALWARP, CUTLINE),
    ),
)  # fmt: skip
"""odc-geo writes no masks, so it has no part in the last"""


@dataclass(frozen=True)
class Job:
    """An export in so many words: the engines read it from a file, each in its own process."""

    scenes: list[str]
    """The first is on top"""
    aoi: str
    bounds: Bounds
    shape: tuple[int, int]
    bands: list[str]
    """What is stored, or what ``process`` makes"""
    dtype: str
    resolution: float
    resampling: str = "bilinear"
    profile: str = "deflate"
    level: int | None = None
    masked: bool = False
    process: str | None = None
    items: list[dict[str, Any]] = field(default_factory=list)
    """STAC items of the scenes, for odc-stac"""

    @classmethod
    def load(cls, path: Path) -> Job:
        return cls(**json.loads(path.read_text()))

    def save(self, path: Path) -> Path:
        path.write_text(json.dumps(asdict(self), indent=1))
        return path


def job(
    scenes: Scenes, bands: Sequence[str], *, resolution: float = RESOLUTION, share: float = 1.0, **more: Any
) -> Job:
    """An export of the scenes that have these bands, or of a share of their area; more fields of it by keyword."""
    dtype, held = ("uint8", RGB) if tuple(bands) == RGB else ("uint16", BGRN)
    files = scenes.pictures if dtype == "uint8" else scenes.reflectance
    bounds, shape = scenes.area(resolution, share)
    return Job(
        scenes=[str(file) for file in files],
        aoi=str(write_area(files[0].with_name(f"area-{resolution:g}-{share:g}.geojson"), bounds, resolution)),
        bounds=bounds,
        shape=shape,
        bands=list(bands),
        resolution=resolution,
        items=[stac_item(file, held, dtype) for file in files],
        **{"dtype": dtype, **more},
    )


def job_of(case: Case, scenes: Scenes) -> Job:
    """The case over these scenes, all of them."""
    codec = {"profile": case.profile, "level": case.level, "masked": case.masked}
    return job(scenes, case.bands, resolution=RESOLUTION, share=1.0, resampling=case.resampling, **codec)
