"""The estimate's upper bound bounds the file, whatever the pixels, and a profile says what it cannot hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cutline.cog.encode import encode
from cutline.cog.profile import PROFILES, bytes_bound, check_profile
from cutline.cog.pyramid import Raster
from cutline.errors import InvalidRequest
from cutline.estimate import estimate
from tests.cog.building import build, make_spec

NAN = float("nan")


def _cases() -> list[tuple[str, str, int, float | None]]:
    """Noise as coarse (uint8) and as fine (float64) as it comes; pixel by pixel and planar; masks and nodata."""
    exact = [
        (profile, dtype, bands, nodata)
        for profile in ("deflate", "zstd", "lerc", "none")
        for dtype, bands, nodata in (
            ("uint8", 1, None),
            ("uint8", 4, 0.0),
            ("int16", 9, None),
            ("uint32", 1, None),
            ("float32", 3, NAN),
            ("float64", 1, NAN),
        )
    ]
    return [*exact, ("jpeg", "uint8", 1, None), ("jpeg", "uint8", 3, None), ("webp", "uint8", 3, None)]


@pytest.mark.parametrize("case", _cases(), ids=str)
@pytest.mark.parametrize("holes", [0.0, 0.005, 0.5])
def test_a_block_of_noise_is_within_the_bound(case: tuple[str, str, int, float | None], holes: float) -> None:
    """``holes``: the share of pixels without data, as noise too, so that masks do not compress either."""
    profile, dtype, bands, nodata = case
    spec = make_spec(profile, dtype, bands, nodata)
    raster = _noise(dtype, bands, (512, 512), nodata, holes)
    encoded = encode(raster.values, raster.valid, spec)
    assert sum(map(len, encoded.blocks + encoded.masks)) <= bytes_bound(spec, 1)


@pytest.mark.parametrize("case", _cases(), ids=str)
def test_a_file_of_noise_is_within_the_estimate(tmp_path: Path, case: tuple[str, str, int, float | None]) -> None:
    profile, dtype, bands, nodata = case
    built = build(tmp_path, make_spec(profile, dtype, bands, nodata), _noise(dtype, bands, (512, 1024), nodata, 0.005))
    assert built.receipt.nbytes <= estimate(built.plan, workers=1).bytes_max


def _noise(dtype: str, bands: int, shape: tuple[int, int], nodata: float | None, holes: float) -> Raster:
    rng = np.random.default_rng(11)
    kind = np.dtype(dtype)
    bits = rng.integers(0, 256, (bands, *shape, kind.itemsize), np.uint8)
    values = bits.view(kind)[..., 0]
    if kind.kind == "f":
        values = np.where(np.abs(values) < np.finfo(kind).max ** 0.4, values, 1).astype(kind)  # sums stay finite
    valid = rng.random(shape) >= holes
    if nodata is not None:
        values[values == nodata] += 1
    values[:, ~valid] = 0 if nodata is None else nodata
    return Raster(values, valid)


@pytest.mark.parametrize(
    ("profile", "dtype", "bands", "nodata", "reason"),
    [
        ("jpeg", "uint16", 3, None, "holds uint8, not uint16; .* --stretch"),
        ("jpeg", "uint8", 4, None, "holds 1 or 3 bands, not 4"),
        ("webp", "uint8", 1, None, "holds 3 bands, not 1"),
        ("deflate", "complex64", 1, None, "not complex64"),
        ("jpeg", "uint8", 3, 0.0, "nodata would fray; it brings a mask"),
        ("lerc", "float32", 1, -9999.0, "nodata would fray, unless it is NaN"),
    ],
)
def test_what_a_profile_cannot_hold(profile: str, dtype: str, bands: int, nodata: float | None, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        check_profile(profile, dtype, bands, nodata)


def test_what_it_can() -> None:
    for profile in PROFILES:
        check_profile(profile, "uint8", 3)
    check_profile("lerc", "float32", 1, NAN)
    check_profile("lerc", "int16", 1, -9999.0)
