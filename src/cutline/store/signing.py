"""By what webhooks' receivers know that it is us: one secret a webhook, in Secrets Manager, by the Standard Webhooks
specification (https://www.standardwebhooks.com).

Who answers users makes and removes them; only who sends has the right to read.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import secrets

from cutline.errors import NotFound
from cutline.store.clients import client

PREFIX = "whsec_"
NBYTES = 32
OVERLAP = dt.timedelta(days=1)
"""For so long after a change the secret before signs too, so that a receiver can change over"""


class SigningSecrets:
    """By their names. ``key``: of KMS; "" is AWS's own."""

    def __init__(self, key: str = "") -> None:
        self._key, self._manager = key, client("secretsmanager")

    def make(self, name: str) -> str:
        """A new secret instead of what had that name, which Secrets Manager keeps as the one before."""
        made = PREFIX + base64.b64encode(secrets.token_bytes(NBYTES)).decode()
        try:
            self._manager.create_secret(Name=name, SecretString=made, **({"KmsKeyId": self._key} if self._key else {}))
        except self._manager.exceptions.ResourceExistsException:
            self._manager.put_secret_value(SecretId=name, SecretString=made)
        return made

    def valid(self, name: str, rotated_at: dt.datetime | None, at: dt.datetime) -> list[str]:
        """The current secret and, for a while after it became another, the one before. Raises NotFound."""
        overlapping = rotated_at is not None and at < rotated_at + OVERLAP
        before = self._get(name, "AWSPREVIOUS") if overlapping else None
        current = self._get(name, "AWSCURRENT")
        if current is None:
            raise NotFound("the webhook has no secret any more; make a new one: PATCH rotate_secret")
        return [current] if before is None else [current, before]

    def _get(self, name: str, stage: str) -> str | None:
        try:
            return str(self._manager.get_secret_value(SecretId=name, VersionStage=stage)["SecretString"])
        except self._manager.exceptions.ResourceNotFoundException:
            return None

    def delete(self, name: str) -> None:
        """At once, and for good. Again does nothing."""
        try:
            self._manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        except self._manager.exceptions.ResourceNotFoundException:
            return


def signature(secret: str, message_id: str, timestamp: int, content: bytes) -> str:
    """``v1,…``: the HMAC-SHA256 over id, Unix time in seconds and content."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + content
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
