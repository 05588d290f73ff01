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
from tests.cog.building import build, make_raster, make_spec, read

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


LEVELLED = {name: row.level for name, row in PROFILES.items() if row.level}


@pytest.mark.parametrize("bands", [("one",), ("red", "green", "blue"), ("one", "two", "three")], ids=len)
@pytest.mark.parametrize("profile", LEVELLED)
def test_black_and_white_noise_is_within_the_bound_at_the_highest_level(profile: str, bands: tuple[str, ...]) -> None:
    """Of all 8-bit pixels these have the most energy, so JPEG's coefficients the most bits."""
    if len(bands) not in (PROFILES[profile].band_counts or {1, 3}):
        return
    spec = make_spec(profile, bands=len(bands), level=LEVELLED[profile].highest).model_copy(update={"bands": bands})
    pixels = (255 * np.random.default_rng(5).integers(0, 2, (len(bands), 512, 512))).astype(np.uint8)
    encoded = encode(pixels, np.ones((512, 512), np.bool_), spec)
    assert sum(map(len, encoded.blocks + encoded.masks)) <= bytes_bound(spec, 1)


@pytest.mark.parametrize("profile", LEVELLED)
def test_levels_are_gdals(tmp_path: Path, profile: str) -> None:
    """The default is what no level gives, the highest and the lowest differ, and none is lost on the way to GDAL."""
    level = LEVELLED[profile]
    made = {}
    for given in (None, 1, level.default, level.highest):
        spec = make_spec(profile, "float32" if profile == "lerc" else "uint8", 3, level=given)
        built = build(tmp_path / str(given), spec, make_raster(spec, (512, 512)))
        made[given] = built.path.read_bytes()
        if not PROFILES[profile].lossy and profile != "lerc":
            assert np.array_equal(read(built.path)[0], built.raster.values)
    assert made[None] == made[level.default]
    assert len(made[1]) != len(made[level.highest])


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


@pytest.mark.parametrize("profile", PROFILES)
def test_which_levels_a_profile_has(profile: str) -> None:
    known = LEVELLED.get(profile)
    highest, right = (known.highest, f"choose 1 to {known.highest}") if known else (0, "leave --level out")
    for level in range(1, highest + 1):
        check_profile(profile, "uint8", 3, level=level)
    for beyond in (-1, 0, highest + 1):
        with pytest.raises(InvalidRequest, match=f"profile {profile} has no level {beyond}; {right}") as refused:
            check_profile(profile, "uint8", 3, level=beyond)
        assert refused.value.pointer == "/output/level"
