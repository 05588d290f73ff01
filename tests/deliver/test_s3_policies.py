"""Policies to paste, and those of our sessions: one destination's folder, one delivery's names, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from cutline.deliver.s3_policies import folder, owner, permissions, session, trust
from cutline.models.destination import S3Settings
from tests.support.journey import Journey, content, parcel
from tests.support.s3_journeys import by_role
from tests.support.second_s3 import ROLE, SecondS3, second_s3

__all__ = ["second_s3"]


def settings(**more: Any) -> S3Settings:
    return S3Settings.model_validate({"bucket": "annas-bucket", "region": "eu-central-1", **more})


def test_a_role_trusts_us_with_one_external_id() -> None:
    assert trust("arn:aws:iam::123456789012:root", "ext-1")["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "ext-1"}},
        }
    ]


@pytest.mark.parametrize(
    ("prefix", "start"),
    [("", ""), ("exports", "exports/"), ("exports/{date}/x", "exports/"), ("by-{name}", "by-"), ("{id}", "")],
)
def test_permissions_are_for_the_folder(prefix: str, start: str) -> None:
    assert folder(settings(prefix=prefix)) == start
    [objects] = permissions(settings(prefix=prefix))["Statement"]
    assert objects["Resource"] == f"arn:aws:s3:::annas-bucket/{start}*"
    assert "s3:PutObjectTagging" not in objects["Action"]


def test_permissions_for_tags_and_a_key() -> None:
    key = "arn:aws:kms:eu-central-1:210987654321:key/1"
    objects, keys = permissions(settings(tags={"a": "b"}, kms_key=key))["Statement"]
    assert "s3:PutObjectTagging" in objects["Action"]
    assert keys["Resource"] == key


@pytest.mark.parametrize(
    ("more", "partition"),
    [
        ({"region": "cn-north-1"}, "aws-cn"),
        ({"region": "us-gov-west-1"}, "aws-us-gov"),
        ({"role_arn": "arn:aws-cn:iam::210987654321:role/r"}, "aws-cn"),
    ],
)
def test_parts_of_aws_that_are_apart(more: dict[str, str], partition: str) -> None:
    [objects] = permissions(settings(**more))["Statement"]
    assert objects["Resource"].startswith(f"arn:{partition}:s3:::")


def test_what_stands_for_more_in_a_policy_stands_for_itself() -> None:
    own, source = session(settings(), "a*b?c$d", "ours/k*.tif")["Statement"]
    assert own["Resource"] == "arn:aws:s3:::annas-bucket/a${*}b${?}c${$}d*"
    assert (source["Action"], source["Resource"]) == ("s3:GetObject", "arn:aws:s3:::ours/k${*}.tif")


def test_the_owner_is_the_roles_account_unless_another_is_named() -> None:
    assert owner(settings()) is None
    assert owner(settings(role_arn=ROLE)) == "222222222222"
    assert owner(settings(role_arn=ROLE, account="333333333333")) == "333333333333"


@pytest.mark.parametrize("name", ["a*b", "what?", "$1 (ü)", "x+y&z=%41"])
def test_a_session_may_what_its_delivery_needs(second_s3: SecondS3, name: str) -> None:
    small = content(100)
    assert Journey(parcel(small, path=f"exports/{name}")).go_on(by_role()) is not None
    assert second_s3.content(f"exports/{name}.tif") == small
    # The first session is that with a wrong ExternalId, which was refused.
    [policy] = second_s3.sessions.values()
    assert policy == session(by_role()._settings, f"exports/{name}", "our-exports/owner/e1.tif")
