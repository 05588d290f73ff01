"""Where a rule of cdk-nag does not fit, and why. One reason for one finding: nothing is silenced wholesale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from constructs import IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Take note of a finding of the AwsSolutions pack on a construct: ``rule`` is `S1`, or `IAM5[Resource::*]`."""
    cdk.Validations.of(construct).acknowledge(
        cdk.Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason)
    )


def accept_wildcard(role: IConstruct, resource: str, reason: str) -> None:
    """A role may do something with whatever matches ``resource``, an ARN with a ``*``."""
    accept(role, f"IAM5[Resource::{_as_found(cdk.Stack.of(role).resolve(resource))}]", reason)


def _as_found(value: Any) -> str:
    """An ARN as findings spell it, with ``<Bucket.Arn>`` for what is known on deployment only."""
    match value:
        case str():
            return value
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(_as_found(part) for part in parts)
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case Mapping():
            raise ValueError(f"no ARN of ours has {next(iter(value))}")
    raise TypeError(f"an ARN is no {type(value).__name__}")
