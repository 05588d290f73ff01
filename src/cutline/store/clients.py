"""AWS's APIs, one client each. They find credentials and endpoints by AWS's own chain."""

from __future__ import annotations

import functools
from typing import Any

import boto3
from botocore.config import Config

from cutline.settings import settings

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "max_attempts": 6},
    max_pool_connections=64,
)

_WAITED_FOR = Config(read_timeout=25, retries={"mode": "standard", "total_max_attempts": 1})
"""For functions of ours that a request waits for, which has 29 seconds itself, and which go on when nobody waits"""


def client(service: str) -> Any:
    """boto3's client of ``service``. Where another endpoint is set, S3 is addressed by path."""
    return _client(service, settings().s3_endpoint)


@functools.lru_cache(maxsize=32)
def _client(service: str, s3_endpoint: str | None) -> Any:
    session: Any = boto3  # its types want a literal name of a service
    if service == "lambda":
        return session.client(service, config=_CONFIG.merge(_WAITED_FOR))
    if service != "s3":
        return session.client(service, config=_CONFIG)
    how = Config(  # without a version, presigning falls back to SigV2
        signature_version="s3v4", s3={"addressing_style": "path" if s3_endpoint else "virtual"}
    )
    return session.client("s3", endpoint_url=s3_endpoint, config=_CONFIG.merge(how))
