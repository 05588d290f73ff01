"""The GDAL that imagery is read with: every option stands beside its reason.

Those about HTTP concern S3; any other web address is read by ``store.web``, which follows no redirects.
What travels in a scene is another person's file, so the defaults here are the careful ones. Options of GDAL belong to
the thread that set them: whoever reads pixels does so inside ``environment()``, not only around the opening.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import rasterio
from rasterio.session import DummySession

from cutline.settings import Settings, settings

OPTIONS: dict[str, tuple[str | int, str]] = {
    # option: (value, reason)
    "GDAL_NUM_THREADS": ("1", "parallelism is by processes; threads have shifted pixels (gdal#13464)"),
    "GDAL_CACHEMAX": (2**25, "bytes of decoded blocks; the default is 5 % of the memory. read.py knows what it needs"),
    "GDAL_TIFF_INTERNAL_MASK": ("YES", "a mask written beside a TIFF gets lost on the way to S3"),
    "GDAL_PAM_ENABLED": ("NO", "an .aux.xml can name other files to open, and is not part of a scene's identity"),
    "GDAL_VRT_ENABLE_PYTHON": ("NO", "runs code found in data"),
    "GDAL_VRT_ENABLE_RAWRASTERBAND": ("NO", "reads any file of the machine as pixels"),
    "GDAL_HTTP_MAX_RETRY": ("4", "a 429, 502, 503 or 504 is usually over in seconds"),
    "GDAL_HTTP_RETRY_DELAY": ("0.5", "seconds, doubled by GDAL each time"),
    "GDAL_HTTP_CONNECTTIMEOUT": (
        "10",
        "seconds; GDAL waits for ever by default",
    ),
    "GDAL_HTTP_TIMEOUT": ("60", "seconds for one request; ranges are small"),
    "GDAL_HTTP_LOW_SPEED_LIMIT": ("1024", "bytes/s: a server that trickles is as good as down"),
    "GDAL_HTTP_LOW_SPEED_TIME": ("30", "seconds below that speed"),
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": ("YES", "adjoining blocks in one request"),
    "CPL_VSIL_CURL_CHUNK_SIZE": ("65536", "bytes of the first request: most TIFF headers fit"),
    "CPL_VSIL_CURL_CACHE_SIZE": ("67108864", "bytes for all remote files of a process; the default is 16 MB"),
}


def environment(**more: str | int) -> rasterio.Env:
    """GDAL with the options above, S3 as the settings say, and ``more`` options on top. A context manager."""
    options: dict[str, str | int] = {name: value for name, (value, _) in OPTIONS.items()}
    # GDAL finds (and renews) credentials itself; rasterio's own session would freeze them at opening.
    return rasterio.Env(session=DummySession(), **{**options, **_s3_options(settings()), **more})


def _s3_options(now: Settings) -> dict[str, str]:
    options: dict[str, str] = {}
    if now.s3_endpoint:
        endpoint = urlsplit(now.s3_endpoint)
        options["AWS_S3_ENDPOINT"] = endpoint.netloc
        options["AWS_HTTPS"] = "YES" if endpoint.scheme == "https" else "NO"
        options["AWS_VIRTUAL_HOSTING"] = "FALSE"  # bucket.localhost does not resolve
    if now.s3_unsigned:
        options["AWS_NO_SIGN_REQUEST"] = "YES"
    if now.s3_requester_pays:
        options["AWS_REQUEST_PAYER"] = "requester"
    return options
