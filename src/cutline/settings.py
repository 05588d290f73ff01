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


class Limits(Model):
    """What one user may take. Checked before the first tile is rendered, and before a download begins."""

    pixels_a_month: int = 100_000_000_000
    exports_at_once: int = 25
    pixels_an_export: int = 20_000_000_000
    aoi_vertices: int = 100_000
    bytes_a_month: int = 1_000_000_000_000
    """That leave by downloads"""
    downloads_a_minute: int = 60
    downloads_in_a_row: int = 120
    """As fast as one likes, after a pause that is long enough"""
    destinations: int = 50
    deliveries_at_once: int = 50
    """That were asked for after their exports had ended"""


class CrossOrigin(Model):
    """What pages of another origin may send to the API and read of its answers."""

    methods: tuple[str, ...] = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    headers: tuple[str, ...] = ("Authorization", "Content-Type", "Idempotency-Key")
    exposed: tuple[str, ...] = ("Location", "Retry-After", "WWW-Authenticate", "Allow")
    max_age: int = 3600
    """Seconds for which a browser need not ask again"""


CROSS_ORIGIN = CrossOrigin()


class ServiceSettings(Model):
    """What the deployment decides: where the service keeps things, and what it allows."""

    table: str
    work_bucket: str
    exports_bucket: str
    inbox_bucket: str = ""
    audit_bucket: str = ""
    ready_queue: str = ""
    """URL of the queue that tells submit of uploads to be exported"""
    notify_queue: str = ""
    """URL of the queue that tells notify of webhooks to be called, and of ends that no execution could tell"""
    state_machine: str = ""
    """ARN"""
    account: str = ""
    """Of AWS, that all of this runs in"""
    secrets: str = "cutline/"
    """What the names of users' secrets begin with"""
    secrets_key: str = ""
    """The KMS key that they are encrypted by; by default AWS's own"""
    dropbox_key: str = ""
    """Of the Dropbox app that this deployment is; without one there are no deliveries to Dropbox"""
    dropbox_secret_id: str = ""
    """The secret in Secrets Manager that holds the app's own, as plain text"""
    dropbox_redirect: str = ""
    """Where Dropbox brings the user and the code; without it the user copies the code"""
    user_pool: str = ""
    """Id"""
    client_id: str = ""
    """Of the console and the command line"""
    sender: str = ""
    """The address that mail comes from"""
    url: str = ""
    """Of the API, as its users see it; no slash at the end"""
    function_prefix: str = ""
    """What AWS's names of our functions begin with, before the names of their folders: "" or the stack's and a dash"""
    console_origin: str = "*"
    """Whose pages may call the API from a browser: scheme, host and port; ``*``: any"""
    login_url: str = ""
    """Of the sign-in pages, where /oauth2/authorize and /oauth2/token are; by default the API's own"""
    source_hosts: tuple[str, ...] = ()
    """Where scenes may come from: a host, ``*.example.org``, ``s3://bucket`` or ``s3://bucket/prefix/``; ``*``: any"""
    basemap: str = ""
    """Address of the tiles or style that maps are drawn over"""
    limits: Limits = Limits()


def settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings as the environment has them now."""
    env = os.environ if environ is None else environ
    return Settings(
        s3_endpoint=env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL") or None,
        s3_unsigned=_flag(env, "AWS_NO_SIGN_REQUEST"),
        s3_requester_pays=env.get("AWS_REQUEST_PAYER", "").lower() == "requester",
        private_hosts=_flag(env, "CUTLINE_PRIVATE_HOSTS"),
    )


def service(environ: Mapping[str, str] | None = None) -> ServiceSettings:
    """The settings of the service as the environment has them now. Raises pydantic's ValidationError without a table or
    buckets."""
    env = os.environ if environ is None else environ
    known = {name: value for name in ServiceSettings.model_fields if (value := env.get(f"CUTLINE_{name.upper()}"))}
    hosts = tuple(host.strip() for host in known.pop("source_hosts", "").split(",") if host.strip())
    limits = Limits.model_validate_json(known.pop("limits", "{}"))
    stack, dash, _ = env.get("AWS_LAMBDA_FUNCTION_NAME", "").rpartition("-")
    given = {"source_hosts": hosts, "limits": limits, "function_prefix": stack + dash}
    return ServiceSettings.model_validate({**known, **given})


def _flag(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() in TRUE
