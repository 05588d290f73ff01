"""Areas of interest: read from a file, checked, repaired where asked, and given back as one MultiPolygon in lon/lat.

stage    the path -> files of known kinds and sizes in a directory of ours (zips, shapefile parts)
sniff    what a file is, by its first bytes
ogr      the file reader, the only user of pyogrio
geojson  the reader of a GeoJSON document by value, which needs no file and no OGR
reference  which CRS the numbers are in, and whether they can be
rules    features -> valid polygons -> one MultiPolygon
dateline polygons over the antimeridian and the poles
project  polygons from CRS to CRS, without bending their edges
read     all of it in order
"""

from cutline.aoi.model import Aoi, AoiReport, Finding
from cutline.aoi.read import check_aoi, check_geojson, read_aoi, read_geojson

__all__ = ["Aoi", "AoiReport", "Finding", "check_aoi", "check_geojson", "read_aoi", "read_geojson"]
