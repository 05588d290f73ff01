"""A user's stored target of deliveries: what it is, what is known of it, and - apart from both - its secret.

A secret's model never becomes part of a record, an answer, a state of an execution or a log.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr

from cutline.models.base import Model
from cutline.models.record import Failure

PLACEHOLDERS = ("name", "date", "id")
_BRACED = re.compile(r"\{([^{}]*)\}")


def _folder(prefix: str) -> str:
    """``prefix`` without slashes around it. Raises ValueError for what is no folder below the destination's root."""
    folder = prefix.strip("/")
    unknown = [found for found in _BRACED.findall(folder) if found not in PLACEHOLDERS]
    if unknown or re.search(r"[{}]", _BRACED.sub("", folder)):
        raise ValueError("only {name}, {date} and {id} are put in, and braces are for nothing else")
    if any(part in ("", ".", "..") for part in folder.split("/")) and folder:
        raise ValueError("a folder has no empty parts, and neither . nor ..; write it as exports/{date}")
    if "\\" in folder or not folder.isprintable():
        raise ValueError("a folder has neither backslashes nor control characters")
    return folder


Prefix = Annotated[
    str,
    Field(
        max_length=500,
        description="The folder that files come into; {name}, {date} (of the export's submission, in UTC) and {id} "
        "(of the export) are put in",
        examples=["exports/{date}"],
    ),
    AfterValidator(_folder),
]


_TAG = r"^[\w .:/=+@-]+$"
TagKey = Annotated[str, Field(max_length=128, pattern=_TAG)]
TagValue = Annotated[str, Field(max_length=256, pattern=_TAG)]


class S3Settings(Model):
    """A bucket of the user's. Entered by a role that trusts us with our ExternalId, or by access keys (the secret)."""

    kind: Literal["s3"] = "s3"
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    region: str = Field(pattern=r"^[a-z0-9-]{4,30}$", examples=["eu-central-1"])
    prefix: Prefix = ""
    account: str | None = Field(default=None, pattern=r"^\d{12}$", description="That has to own the bucket")
    role_arn: str | None = Field(
        default=None, pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$", max_length=300
    )
    kms_key: str | None = Field(
        default=None,
        max_length=300,
        pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+$",
        description="ARN of the key that the file is encrypted by; policies know no key by its alias",
    )
    storage_class: Literal["STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR"] = "STANDARD"
    tags: dict[TagKey, TagValue] = Field(default_factory=dict, max_length=10)
    endpoint: str | None = Field(default=None, max_length=300, description="Of another S3 than AWS's: https://host")


_Word = Annotated[SecretStr, Field(max_length=1000)]
"""A secret of one line. With a private key, and every letter escaped, still below Secrets Manager's 65,536 bytes"""


class S3Secret(Model):
    """Access keys, where there is no role."""

    access_key_id: _Word
    secret_access_key: _Word


class DropboxSettings(Model):
    """A folder of a Dropbox account, which was authorised by OAuth."""

    kind: Literal["dropbox"] = "dropbox"
    prefix: Prefix = ""


class DropboxSecret(Model):
    """What OAuth gave us: long-lived, until the user revokes it."""

    refresh_token: SecretStr = Field(max_length=4000)


class SftpSettings(Model):
    """A folder on an SFTP server."""

    kind: Literal["sftp"] = "sftp"
    host: str = Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$")
    port: int = Field(default=22, ge=1, le=65535)
    username: str = Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
    host_key: str = Field(
        max_length=2000,
        description="The server's public key, as in known_hosts: type and Base64",
        pattern=r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/=]+$",
    )
    prefix: Prefix = ""


class SftpSecret(Model):
    """A password, or a private key in OpenSSH's format."""

    password: _Word | None = None
    private_key: Annotated[SecretStr, Field(max_length=8000)] | None = None


Kind = Literal["s3", "dropbox", "sftp"]
DestinationSettings = Annotated[S3Settings | DropboxSettings | SftpSettings, Field(discriminator="kind")]
Secret = S3Secret | DropboxSecret | SftpSecret
SECRETS: dict[Kind, type[S3Secret] | type[DropboxSecret] | type[SftpSecret]] = {
    "s3": S3Secret,
    "dropbox": DropboxSecret,
    "sftp": SftpSecret,
}


class DestinationRecord(Model):
    """A destination as the table has it."""

    destination_id: str
    owner: str
    name: str
    """As its owner calls it"""
    version: int = 1
    """One more with every change of what is above or in the settings: what was found out holds for one version"""
    settings: DestinationSettings
    external_id: str
    """Made by us, one a destination: a role that trusts us only with it cannot be used for another of our users"""
    secret: str | None = None
    """Name of its secret in Secrets Manager; None where it needs none, or has none yet"""
    created_at: AwareDatetime
    verified_at: AwareDatetime | None = None
    """When it last took a trial file"""
    problem: Failure | None = None
    """Why it did not, if that is the last that is known of it"""
