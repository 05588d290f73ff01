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
    signature_version="s3v4",  # presigning would fall back to SigV2 else
)


def client(service: str) -> Any:
    """boto3's client of ``service``. Where another endpoint is set, S3 is addressed by path."""
    return _client(service, settings().s3_endpoint)


@functools.lru_cache(maxsize=32)
def _client(service: str, s3_endpoint: str | None) -> Any:
    if service != "s3":
        return boto3.client(service, config=_CONFIG.merge(Config(signature_version=None)))
    style = {"addressing_style": "path" if s3_endpoint else "virtual"}
    return boto3.client("s3", endpoint_url=s3_endpoint, config=_CONFIG.merge(Config(s3=style)))
