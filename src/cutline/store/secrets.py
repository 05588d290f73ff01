"""Texts that nobody is shown again, in Secrets Manager under a key of ours.

Who answers users writes and removes them; only who uses them has the right to read.
"""

from __future__ import annotations

from cutline.errors import NotFound
from cutline.store.clients import client


class Secrets:
    """By their names. ``key``: of KMS; "" is AWS's own."""

    def __init__(self, key: str = "") -> None:
        self._key, self._manager = key, client("secretsmanager")

    def create(self, name: str, text: str) -> None:
        """``text``: 65,536 bytes at most. ``name``: of no other; that of another is an error of ours."""
        key = {"KmsKeyId": self._key} if self._key else {}
        self._manager.create_secret(Name=name, SecretString=text, **key)

    def get(self, name: str) -> str:
        """Raises NotFound."""
        try:
            return str(self._manager.get_secret_value(SecretId=name)["SecretString"])
        except self._manager.exceptions.ResourceNotFoundException as error:
            raise NotFound(f"there is no secret {name}") from error

    def delete(self, name: str) -> None:
        """At once, and for good. Again does nothing."""
        try:
            self._manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        except self._manager.exceptions.ResourceNotFoundException:
            return


def plain_text(name: str) -> str:
    """Of one that those who run this made. Raises NotFound."""
    return Secrets().get(name)
