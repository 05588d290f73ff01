"""Where bytes are kept. One seam, ``Objects``, and three real implementations, chosen by the href's scheme, once."""

from collections.abc import Callable

from cutline.errors import InvalidRequest
from cutline.store.objects import Files, Objects, Peek
from cutline.store.web import WebFiles, WebObjects


def _s3() -> Objects:
    from cutline.store.s3 import S3Objects  # noqa: PLC0415 - boto3 takes a quarter of a second to import

    return S3Objects()


BACKENDS: dict[str, Callable[[], Objects]] = {"": Files, "s3": _s3, "https": WebObjects, "http": WebObjects}
"""href scheme -> what reads it; a path has no scheme"""


def scheme_of(href: str) -> str:
    """``s3``, ``https`` …, or "" for a path. Raises InvalidRequest for a scheme that is not read."""
    scheme = href.partition("://")[0].lower() if "://" in href else ""
    if scheme not in BACKENDS:
        raise InvalidRequest(f"{scheme}:// is not read; use a path, s3://, https:// or http://")
    return scheme


def objects(href: str) -> Objects:
    """What reads ``href``."""
    return BACKENDS[scheme_of(href)]()


__all__ = ["BACKENDS", "Files", "Objects", "Peek", "WebFiles", "WebObjects", "objects", "scheme_of"]
