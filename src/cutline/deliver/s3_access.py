"""How a user's bucket is entered: by a role that lets us in with the destination's ExternalId, or by access keys."""

from __future__ import annotations

import json
import secrets
from typing import Any

import boto3
from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool
from botocore.config import Config
from botocore.exceptions import ClientError

from cutline.deliver.s3_endpoint import place_of
from cutline.deliver.s3_faults import DENIED, code_of, is_elsewhere, told
from cutline.deliver.s3_policies import Policy
from cutline.errors import BadCredentials, DeliveryRejected, InvalidRequest
from cutline.models.destination import S3Secret, S3Settings
from cutline.settings import settings as surroundings
from cutline.store.clients import client
from cutline.store.guarded import public_address

_SESSION = "cutline-delivery"
"""As our sessions are called in the log of the account"""
_CONFIG = Config(
    signature_version="s3v4",
    connect_timeout=10,
    read_timeout=60,
    retries={"mode": "standard", "max_attempts": 4},
    # Parts are proven by their MD5, which every S3 knows, and the whole by its CRC-64.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


class Access:
    """To one destination."""

    def __init__(self, settings: S3Settings, secret: S3Secret | None, external_id: str) -> None:
        self._settings, self._secret, self._external_id = settings, secret, external_id

    def client(self, policy: Policy) -> Any:
        """boto3's client of S3, which may what ``policy`` says at most where a role lets us in.

        Raises BadCredentials where it does not, and DeliveryRejected for an endpoint that we never ask.
        """
        settings = self._settings
        if settings.endpoint is not None:
            _check(settings.endpoint)
        known = self._assumed(policy) if settings.role_arn else self._keys()
        by_path = bool(settings.endpoint or surroundings().s3_endpoint)
        session: Any = boto3  # its types want to know which arguments there are
        made = session.client(
            "s3",
            region_name=settings.region,
            endpoint_url=settings.endpoint,
            config=_CONFIG.merge(Config(s3={"addressing_style": "path" if by_path else "virtual"})),
            **known,
        )
        if settings.endpoint:
            _guard(made)
        made.meta.events.register_first("needs-retry.s3", self._stay)
        return made

    def _stay(self, response: tuple[Any, dict[str, Any]] | None, operation: Any, **_: object) -> None:
        """boto3 would follow a bucket into its region; its owner shall know where it is."""
        if response and is_elsewhere(response[1], self._settings):
            raise ClientError(response[1], operation.name)  # type: ignore[arg-type]

    def check_guard(self) -> None:
        """Raises BadCredentials where the role lets us in whatever ExternalId we name: any user of ours who knew the
        role's name could then deliver there."""
        if not self._settings.role_arn:
            return
        with told(self._settings, ""):
            try:
                self._assume(secrets.token_hex(16))
            except ClientError as error:
                if code_of(error) not in DENIED:
                    raise
                return
        raise BadCredentials(
            f"the role {self._settings.role_arn} lets us in without its ExternalId; add the condition "
            "StringEquals sts:ExternalId to its trust policy, as we show it"
        )

    def _keys(self) -> dict[str, str]:
        if self._secret is None:
            raise BadCredentials("there is neither a role nor a pair of access keys; enter a role_arn, or the keys")
        return {
            "aws_access_key_id": self._secret.access_key_id.get_secret_value(),
            "aws_secret_access_key": self._secret.secret_access_key.get_secret_value(),
        }

    def _assumed(self, policy: Policy) -> dict[str, str]:
        if self._settings.endpoint:
            raise BadCredentials("a role is AWS's; an S3 at an endpoint of its own is entered by access keys")
        with told(self._settings, ""):
            try:
                given = self._assume(self._external_id, Policy=json.dumps(policy, separators=(",", ":")))
            except ClientError as error:
                if code_of(error) not in DENIED:
                    raise
                raise BadCredentials(
                    f"the role {self._settings.role_arn} does not let us in; its trust policy has to name us and the "
                    f"ExternalId {self._external_id}, as we show it"
                ) from error
        return {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }

    def _assume(self, external_id: str, **more: str) -> dict[str, str]:
        asked = {"RoleArn": self._settings.role_arn, "RoleSessionName": _SESSION, "ExternalId": external_id}
        given: dict[str, str] = client("sts").assume_role(**asked, **more)["Credentials"]
        return given


def _check(endpoint: str) -> None:
    """Raises DeliveryRejected where we do not ask there."""
    try:
        public_address(*place_of(endpoint))
    except InvalidRequest as error:
        raise DeliveryRejected(error.message) from error


class _Guarded:
    """A connection whose host is looked up once: what was judged is what is asked."""

    _dns_host: str
    port: int

    def _new_conn(self) -> Any:
        named = self._dns_host
        self._dns_host = public_address(named, self.port)
        try:
            return super()._new_conn()  # type: ignore[misc]
        finally:
            self._dns_host = named  # which TLS checks the certificate against


class _HTTP(_Guarded, AWSHTTPConnection):  # type: ignore[misc] # as botocore's own classes, two bases do not agree
    pass


class _HTTPS(_Guarded, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class _HTTPPool(AWSHTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(AWSHTTPSConnectionPool):
    ConnectionCls = _HTTPS


def _guard(s3: Any) -> None:
    # botocore has no other way to say how its connections are made.
    s3._endpoint.http_session._manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
