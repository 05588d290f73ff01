"""Imagery: what the user names becomes scenes, by headers only; files are opened by one driver and no other."""

from cutline.imagery.environment import environment
from cutline.imagery.mosaic import check_bands, common_bands, order_scenes, within
from cutline.imagery.notation import MaskValues, parse_interval, parse_mask_values, parse_scene
from cutline.imagery.reader import open_asset, reading
from cutline.imagery.scenes import Permit, describe_scenes, self_link
from cutline.imagery.stretch import with_stretch

__all__ = [
    "MaskValues",
    "Permit",
    "check_bands",
    "common_bands",
    "describe_scenes",
    "environment",
    "open_asset",
    "order_scenes",
    "parse_interval",
    "parse_mask_values",
    "parse_scene",
    "reading",
    "self_link",
    "with_stretch",
    "within",
]
