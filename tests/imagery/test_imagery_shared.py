"""Every raster of the shared test data has a defined outcome: the scene it becomes, or the reason it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio
from rasters import describe, masked, only
from shapely.geometry import shape

from cutline.errors import CutlineError, InvalidScene, UnsupportedCRS
from cutline.imagery import check_bands, reading, with_stretch

IMAGERY = Path(__file__).parents[3] / "shared/data/imagery"
pytestmark = pytest.mark.skipif(not IMAGERY.is_dir(), reason="the shared test imagery is not on this machine")

RGB, RGB4, B = "red green blue", "red green blue b4", "b1"
UTM18 = 'PROJCRS["UTM Zone 18, Northern Hemisphere"'
S2 = "sentinel2_two_dates/S2{}_T32TLS_N04.00_R60m_B01.jp2"

OUTCOMES: dict[str, tuple[str, str, str] | tuple[type[CutlineError], str]] = {
    # file: (how its crs begins, its bands, its validity) or (the error, the reason)
    "antimeridian/cog_dateline.tif": ("EPSG:32660", B, "all"),
    **{f"bands_landsat8_elkton/L8-B{band}-Elkton-VA.tiff": ("EPSG:32617", B, "all") for band in (*range(1, 12), "QA")},
    **{f"bands_landsat8_japan/LC81070352015122LGN00_B{band}.tif": ("EPSG:32654", B, "all") for band in (2, 3, 4)},
    "bands_landsat_c2l2/LC08_L2SP_008059_20191201_20200825_02_T1_QA_PIXEL.TIF": ("EPSG:32618", B, "all"),
    **{
        f"bands_landsat_c2l2/LC08_L2SP_008059_20191201_20200825_02_T1_SR_B{band}.TIF": ("EPSG:32618", B, "nodata")
        for band in (2, 3, 4, 5)
    },
    **{f"bands_landsat_utm17/{name}.tif": ("EPSG:32617", B, "nodata") for name in ("blue", "green", "red")},
    **{f"bands_sentinel2_egypt/sentinel-b0{band}.tif": ("EPSG:32636", B, "nodata") for band in (4, 8)},
    "dem/DEM_BY23_2015_1000_0101.tif": ("EPSG:2193", B, "nodata"),
    "dem/dem1.tif": ("EPSG:4269", B, "nodata"),
    "dem/dem2.tif": ("EPSG:4269", B, "nodata"),
    "drone_rgba/pix4d_alpha_nodata.tif": ("EPSG:32750", RGB, "alpha"),
    "hyperspectral_envi/jasperRidge2_R198.hdr": (InvalidScene, "an ENVI header"),
    "hyperspectral_envi/jasperRidge2_R198.img": (InvalidScene, "no georeference at all"),
    "hyperspectral_envi/tiny_scene.tar.gz": (InvalidScene, "a gzip archive"),
    **{f"mosaic_landsat_overlap/lc8-utm-{n}.tif": ("EPSG:32618", B, "all") for n in (1, 2, 3)},
    "mosaic_landsat_overlap/mosaic_cog1.tif": ("EPSG:32618", "b1 b2 b3", "nodata"),
    "mosaic_landsat_overlap/mosaic_cog2.tif": ("EPSG:32618", "b1 b2 b3", "nodata"),
    "mosaic_landsat_overlap/mosaic_cog3.tif": ("EPSG:4326", "b1 b2 b3", "nodata"),
    **{f"mosaic_tiles_utm18/rgb{n}.tif": (UTM18, RGB, "nodata") for n in (1, 2, 3, 4)},
    "naip_4band_two_utm_zones/m_3607717_sw_18_1_20160620_subset.tif": ("EPSG:26918", RGB4, "all"),
    "naip_4band_two_utm_zones/m_3607824_se_17_1_20160620_subset.tif": ("EPSG:26917", RGB4, "all"),
    "nodata_collar/LC08_L1TP_198029_20220331_20220406_02_T1_B2.TIF": ("EPSG:32631", B, "nodata"),
    "odd/all-nodata.tif": ("EPSG:32628", "blue green red nir", "nodata"),
    "odd/cog_gcps.tif": (InvalidScene, "ground control points only"),
    "odd/cog_hirise_mars.tif": (UnsupportedCRS, "a radius of 3,396 km"),
    "odd/cog_scale.tif": ("PROJCRS", "b1 b2", "nodata"),
    "odd/corrupt.tif": ("EPSG:3857", RGB, "mask"),
    "odd/float_raster_with_nodata.tif": ("PROJCRS", B, "nodata"),
    "odd/rotated.tif": (InvalidScene, "does not say its coordinate reference system"),
    "odd/world.rgb.tif": ("EPSG:4326", RGB, "all"),
    "planet_4band_u16/20170831_172754_101c_3B_AnalyticMS.tif": ("EPSG:32615", RGB4, "nodata"),
    "planet_4band_u16/20170831_172754_101c_3B_AnalyticMS_DN_udm.tif": ("EPSG:32615", B, "all"),
    "planet_4band_u16/20170831_172754_101c_3b_Visual.tif": ("EPSG:32615", RGB, "all"),
    "rapideye/1056417_2017-03-08_RE3_3A_Visual_clip.tif": ("EPSG:32610", RGB, "alpha"),
    "rgb_utm/RGB.byte.tif": ("EPSG:32618", RGB, "nodata"),
    "rgb_utm/RGBA.byte.tif": ("EPSG:32618", RGB, "alpha"),
    "rgbn_u8_5m/rgbn.tif": ("EPSG:32618", RGB4, "all"),
    "rgbn_u8_5m/rgbn_suba.tif": ("EPSG:32618", RGB4, "nodata"),
    "rgbn_u8_5m/rgbn_subb.tif": ("EPSG:32618", RGB4, "nodata"),
    "sentinel2_tci/B01.tif": ("EPSG:32634", B, "nodata"),
    "sentinel2_tci/B09.tif": ("EPSG:32634", B, "nodata"),
    "sentinel2_tci/TCI.tif": ("EPSG:32634", RGB, "nodata"),
    S2.format("A_OPER_MSI_L2A_TL_ATOS_20220620T162319_A036527"): ("EPSG:32632", B, "all"),
    S2.format("B_OPER_MSI_L2A_TL_2BPS_20220618T135630_A027590"): ("EPSG:32632", B, "all"),
}


def test_every_file_has_an_outcome() -> None:
    files = {str(path.relative_to(IMAGERY)) for path in IMAGERY.rglob("*") if path.is_file()}
    assert files == set(OUTCOMES)


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome(name: str) -> None:
    outcome = OUTCOMES[name]
    if len(outcome) == 2:
        with pytest.raises(outcome[0], match=outcome[1]):
            only(IMAGERY / name)
        return
    crs, bands, validity = outcome
    scene = only(IMAGERY / name)
    (asset,) = scene.assets.values()
    assert asset.crs.startswith(crs)
    assert " ".join(band.name for band in scene.bands) == bands
    assert asset.validity == validity
    assert shape(scene.footprint).is_valid
    with reading(asset) as dataset, rasterio.open(IMAGERY / name) as plain:
        assert dataset.transform == plain.transform


def test_landsat_with_its_quality_mask() -> None:
    stem = "bands_landsat_c2l2/LC08_L2SP_008059_20191201_20200825_02_T1_"
    files = {"red": "SR_B4", "nir": "SR_B5", "qa": "QA_PIXEL"}
    scene = only({band: IMAGERY / f"{stem}{end}.TIF" for band, end in files.items()}, mask=masked("qa", bits=(3, 4)))
    assert scene.id == "LC08_L2SP_008059_20191201_20200825_02_T1"
    stretched = with_stretch(scene, (2, 98))
    assert all(band.stretch and 5000 < band.stretch.low < band.stretch.high < 40000 for band in stretched.bands)


def test_planet_with_its_unusable_data_mask() -> None:
    folder = IMAGERY / "planet_4band_u16"
    names = ("blue", "green", "red", "nir")
    scene = only(folder / "20170831_172754_101c_3B_AnalyticMS.tif", band_names=names)
    assert tuple(band.name for band in scene.bands) == names
    assert scene.datetime is not None


def test_scenes_of_three_crs_share_their_bands() -> None:
    names = ("mosaic_cog1", "mosaic_cog2", "mosaic_cog3")
    assert check_bands(describe(*(IMAGERY / f"mosaic_landsat_overlap/{name}.tif" for name in names))) == (
        "b1", "b2", "b3",
    )  # fmt: skip


def test_damage_is_found_when_pixels_are_read() -> None:
    scene = only(IMAGERY / "odd/corrupt.tif")
    with pytest.raises(InvalidScene, match=r"scene corrupt: .*damaged"):
        with_stretch(scene, (2, 98))
