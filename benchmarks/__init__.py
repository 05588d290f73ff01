"""The same export by gdalwarp, by odc-stac and by cutline, side by side on one machine."""
