"""Resampling, halving, summing up: from a file's pixels to those of an output grid, whatever the window.

    lattice  where output pixels lie in the source: exact at every 16th pixel of the anchored grid, linear between
    resample which part of the source that takes, and which of its pixels hold data
    native   the loops, in C (csrc/)
    pack     pixels as a TIFF block has them before it is compressed
    crc      checksums, of contents and of contents joined

One engine. GDAL's warper is the oracle of the tests, not a second path.
"""

from cutline.kernel.crc import crc64, crc64_joined
from cutline.kernel.native import finish, halve, summarise
from cutline.kernel.pack import Packer, Predictor
from cutline.kernel.resample import Image, resample

__all__ = ["Image", "Packer", "Predictor", "crc64", "crc64_joined", "finish", "halve", "resample", "summarise"]
