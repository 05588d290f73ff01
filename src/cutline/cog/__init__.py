"""The file: encoded once, in segments, and joined without decoding.

profile   how pixels are encoded: one table
encode    pixels -> blocks, by GDAL in memory; the tags of the finished file
pyramid   a tile's levels -> segments, and its apex
coarse    the levels above a tile, from apexes
layout    where every block lies, and the header that says so
tiff      directories as bytes
assemble  all of it -> one file
validate  is a file whole, and the one its item describes?
"""
