"""To be imported first, by processes that are ours alone: rasterio without boto3.

rasterio imports boto3 where there is one, a quarter of a second and 15 MB in every process, for sessions that we do
not use: GDAL finds credentials itself (imagery/environment.py).
"""

from __future__ import annotations

import sys

if "boto3" not in sys.modules:
    sys.modules["boto3"] = None  # type: ignore[assignment] # an ImportError for who asks
    try:
        import rasterio  # noqa: F401
    finally:
        del sys.modules["boto3"]
