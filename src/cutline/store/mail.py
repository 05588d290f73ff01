"""Accounts and their mail: Cognito knows the address, SES sends."""

from __future__ import annotations

import re

from botocore.exceptions import ClientError

from cutline.errors import DeliveryRejected, TransientError
from cutline.store.clients import client

_PASSING = {"TooManyRequestsException", "LimitExceededException", "SendingPausedException", "InternalFailure"}


def address_of(user_pool: str, sub: str) -> str | None:
    """The address of an account that has proven to be its own; None where there is none, as for a machine."""
    if not re.fullmatch(r"[\w-]+", sub):  # it becomes part of a filter
        return None
    found = client("cognito-idp").list_users(UserPoolId=user_pool, Filter=f'sub = "{sub}"', Limit=1)["Users"]
    known = {each["Name"]: each["Value"] for user in found for each in user["Attributes"]}
    return known.get("email") if known.get("email_verified") == "true" else None


def send(sender: str, to: str, message: bytes) -> None:
    """``message``: MIME. Raises TransientError where it may well go later, and DeliveryRejected."""
    try:
        client("sesv2").send_email(
            FromEmailAddress=sender, Destination={"ToAddresses": [to]}, Content={"Raw": {"Data": message}}
        )
    except ClientError as error:
        answer = error.response
        passing = answer["Error"]["Code"] in _PASSING or answer["ResponseMetadata"]["HTTPStatusCode"] >= 500
        kind = TransientError if passing else DeliveryRejected
        raise kind(f"the mail was not sent: {answer['Error']['Message']}") from error
