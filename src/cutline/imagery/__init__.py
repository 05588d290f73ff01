"""Imagery: what the user names becomes scenes, by headers only; files are opened by one driver and no other."""

from cutline.imagery.environment import environment
from cutline.imagery.reader import open_asset
from cutline.imagery.scenes import describe_scenes

__all__ = ["describe_scenes", "environment", "open_asset"]
