"""Cutline: an area and some scenes in, one exact Cloud-Optimized GeoTIFF out."""

__version__ = "0.1.0"
