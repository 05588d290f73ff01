"""What the surroundings decide: the only reader of ``os.environ``, which workers get as a whole (pool.py).

Credentials are not here. boto3 and GDAL each find those by AWS's own chain (environment, profile, role) and renew them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from cutline.models.base import Model

TRUE = frozenset({"1", "true", "yes", "on"})


class Settings(Model):
    """The settings in force; every one has a default that suits a laptop and a Lambda alike."""

    s3_endpoint: str | None = None
    """Another S3 (MinIO, moto, a VPC endpoint): scheme, host and port, no path"""
    s3_unsigned: bool = False
    """Read public buckets without credentials"""
    s3_requester_pays: bool = False
    """Agree to be charged for reading requester-pays buckets"""
    private_hosts: bool = False
    """Read http(s) scenes from loopback and private addresses (RFC 1918, RFC 4193) too. Off, so that a scene's
    address, which another person may have written, cannot make this machine ask its neighbours. Link-local addresses
    and metadata services are never asked."""


def settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings as the environment has them now."""
    env = os.environ if environ is None else environ
    return Settings(
        s3_endpoint=env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL") or None,
        s3_unsigned=_flag(env, "AWS_NO_SIGN_REQUEST"),
        s3_requester_pays=env.get("AWS_REQUEST_PAYER", "").lower() == "requester",
        private_hosts=_flag(env, "CUTLINE_PRIVATE_HOSTS"),
    )


def _flag(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() in TRUE
