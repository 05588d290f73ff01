"""The key that secrets of users are encrypted by: credentials of their destinations, and what signs their webhooks.

The secrets themselves are made by the API, one each, and are not in the template.
"""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.data import named


class SecretsKey(Construct):
    """Of KMS, named by its alias, for the local service knows no keys."""

    def __init__(self, scope: Construct) -> None:
        super().__init__(scope, "Secrets")
        self.alias = f"alias/{Stack.of(self).stack_name}-secrets"
        self.prefix = f"{Stack.of(self).stack_name}/"
        """What the names of the secrets begin with"""
        self.key = kms.Key(
            self,
            "Key",
            alias=self.alias,
            description="Secrets of Cutline's users",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,  # without it, what it encrypted is lost
        )
        named(self.key, "SecretsKey")
