"""Where a rule of cdk-nag does not fit, and why. One reason for one finding: nothing is silenced wholesale."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Take note of a finding of the AwsSolutions pack on a construct: ``rule`` is `S1`, or `IAM5[Resource::*]`."""
    cdk.Validations.of(construct).acknowledge(
        cdk.Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason)
    )
