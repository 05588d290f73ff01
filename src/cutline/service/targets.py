"""Which target a destination is. Only the function deliver imports this: no other has the libraries."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from cutline.deliver.target import Target
from cutline.models.destination import DestinationRecord, Kind, Secret
from cutline.service.credentials import secret_of

Make = Callable[[Any, Secret | None, str], Target]
"""Of (settings, secret, external id)"""


def _made_by(name: str) -> Make:
    """The class of that name, whose module is imported when it is wanted: one brings a library that takes a second."""
    module, _, kind = name.rpartition(".")

    def make(settings: Any, secret: Secret | None, external_id: str) -> Target:
        target: Target = getattr(importlib.import_module(module), kind)(settings, secret, external_id)
        return target

    return make


TARGETS: dict[Kind, Make] = {
    "s3": _made_by("cutline.deliver.s3.S3Target"),
    "dropbox": _made_by("cutline.deliver.dropbox.DropboxTarget"),
    "sftp": _made_by("cutline.deliver.sftp.SftpTarget"),
}


def target_of(destination: DestinationRecord) -> Target:
    """Ready to be asked. Raises BadCredentials where it needs a secret and has none."""
    make = TARGETS[destination.settings.kind]
    return make(destination.settings, secret_of(destination), destination.external_id)
