"""What a destination lets us in by: kept apart from its record, and read by the function deliver alone."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable

from pydantic import ValidationError

from cutline.errors import Conflict, InternalError, NotFound, TransientError
from cutline.models.destination import SECRETS, DestinationRecord, Secret
from cutline.settings import service
from cutline.store.destinations import Destinations
from cutline.store.secrets import Secrets


def keep(
    record: DestinationRecord, secret: Secret, write: Callable[[DestinationRecord], DestinationRecord]
) -> DestinationRecord:
    """Keep ``secret`` under a name that no other ever had, then ``write`` the record that names it.

    So one write decides on settings and secret alike: nobody reads the host of now with the password of before. What
    ``record`` named until then is forgotten. Raises what ``write`` raises.
    """
    name = f"{service().secrets}destinations/{record.owner}/{record.destination_id}/{secrets.token_hex(8)}"
    given = {field: value.get_secret_value() for field, value in secret if value is not None}
    Secrets(service().secrets_key).create(name, json.dumps(given, ensure_ascii=False))
    try:
        written = write(record.model_copy(update={"secret": name}))
    except Conflict:  # so that it was not written; of other errors nobody knows
        Secrets().delete(name)
        raise
    forget(record)
    return written


def secret_of(record: DestinationRecord) -> Secret | None:
    """None where it needs none, or has none. Raises TransientError where it is being replaced, and NotFound where the
    destination is gone."""
    if record.secret is None:
        return None
    try:
        return SECRETS[record.settings.kind].model_validate_json(Secrets().get(record.secret))
    except NotFound:
        if Destinations(service().table).get(record.owner, record.destination_id).secret != record.secret:
            raise TransientError(f"destination {record.name} has just been changed; try again") from None
        return None
    except ValidationError:  # whose words would show what it holds
        raise InternalError(f"{record.secret} is no secret of kind {record.settings.kind}") from None


def forget(record: DestinationRecord) -> None:
    """The secret that it names, for good. Again does nothing."""
    if record.secret is not None:
        Secrets().delete(record.secret)
