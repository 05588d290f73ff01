"""What /destinations takes and answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Discriminator, Field, SecretStr, Tag

from cutline.models.base import Model
from cutline.models.destination import DestinationSettings, Kind, S3Secret, SftpSecret
from cutline.models.record import Failure

DestinationName = Annotated[
    str,
    Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["Our bucket"], description="Any"),
]


def _meant(secret: Any) -> str:
    """Which of the secrets it is, by the names of its fields: what is wrong is told of that one alone."""
    given = secret if isinstance(secret, dict) else getattr(secret, "__dict__", {})  # of a model: its fields
    return "s3" if given.keys() & S3Secret.model_fields.keys() else "sftp"


GivenSecret = Annotated[Annotated[S3Secret, Tag("s3")] | Annotated[SftpSecret, Tag("sftp")], Discriminator(_meant)]
"""What users send; a Dropbox account gives its own, when they authorise us there"""


class NewDestination(Model):
    """A place of one's own for exports."""

    name: DestinationName
    settings: DestinationSettings
    secret: GivenSecret | None = Field(
        default=None,
        description="Access keys, where an S3 bucket is not entered by a role; a password or a private key for SFTP; "
        "nothing for Dropbox. Kept like a password, and never shown again",
    )


class ChangedDestination(Model):
    """What is to be another. Settings are given whole, and are of the same kind."""

    name: DestinationName | None = None
    settings: DestinationSettings | None = None
    secret: GivenSecret | None = None


class AuthorizeBody(Model):
    """What Dropbox gave to its user for us."""

    code: SecretStr = Field(min_length=1, max_length=2000)
    state: str | None = Field(
        default=None, max_length=200, description="As it came back with the code, where that came by a redirect"
    )


class S3Setup(Model):
    """What to paste into the AWS account of the bucket, so that we may put exports there, and nothing else."""

    external_id: str
    trust_policy: dict[str, Any] | None = Field(description="Of the role; null where access keys are used")
    permissions: dict[str, Any] = Field(description="Of the role, or of the user whose access keys are used")


class DestinationView(Model):
    """A destination as its owner sees it. Its secret is never shown."""

    destination_id: str
    name: str
    settings: DestinationSettings
    has_secret: bool
    state: Literal["new", "verified", "failing", "unauthorized"] = Field(
        description="new: not tried yet. unauthorized: PATCH role_arn or a secret, or follow links.authorize"
    )
    created_at: AwareDatetime
    verified_at: AwareDatetime | None = Field(description="When it last took a trial file")
    problem: Failure | None = Field(description="Why it did not, if that is the last that is known of it")
    setup: S3Setup | None = Field(default=None, description="Of an S3 bucket")
    links: dict[str, str] = Field(description="self, verify and, for a Dropbox account, authorize")


class DestinationList(Model):
    """Destinations, in the order in which they were made."""

    destinations: tuple[DestinationView, ...]


KINDS: dict[Kind, type[S3Secret] | type[SftpSecret] | None] = {"s3": S3Secret, "sftp": SftpSecret, "dropbox": None}
"""What secret a kind of destination takes from its user"""
