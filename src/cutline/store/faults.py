"""What AWS's APIs raise, in our words: some of it passes when tried again, the rest is a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError

from cutline.errors import Conflict, CutlineError, InternalError, TransientError

REFUSED = "ConditionalCheckFailedException"
"""DynamoDB's code for a write whose condition does not hold"""

_PASSING = frozenset(
    {"SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "RequestLimitExceeded", "TooManyRequestsException"}
    | {"Throttling", "ThrottlingException", "ThrottledException", "ProvisionedThroughputExceededException"}
    | {"TransactionInProgressException", "OperationAborted", "PreconditionFailed", "NoSuchUpload"}
)
"""Codes that come with a status below 500. The last two: another run of the same step was at the same object"""
_PASSING_REASONS = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded", "TransactionConflict"})
"""For which DynamoDB cancels a transaction"""


def reasons_of(error: ClientError) -> list[str]:
    """Why a transaction was cancelled: a code for each of its pieces, which may be "None". Empty for other errors."""
    return [str(reason.get("Code")) for reason in error.response.get("CancellationReasons", ())]


def told(error: Exception) -> CutlineError | None:
    """``error`` as one of ours, or None where it is not of an AWS API."""
    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        passing = code in _PASSING or code == "InternalError" or not _PASSING_REASONS.isdisjoint(reasons_of(error))
        if passing or status >= 500:
            return TransientError(f"AWS answered {error.operation_name} with {code}; try again")
        return InternalError(f"AWS refused {error.operation_name}: {code}")
    if isinstance(error, NoCredentialsError | ParamValidationError):
        return InternalError(f"AWS cannot be asked: {error}")
    if isinstance(error, BotoCoreError):
        return TransientError(f"AWS did not answer: {error}")
    return None


def conflict(error: ClientError, refused: str) -> Exception:
    """What a conditional write raised: a Conflict that says what was ``refused``, or the ``error`` that it was."""
    return Conflict(refused) if error.response["Error"]["Code"] == REFUSED else error


@contextmanager
def translated() -> Iterator[None]:
    """What AWS's APIs raise inside leaves as one of our errors."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        known = told(error)
        assert known is not None  # noqa: S101 - it is for both
        raise known from error
