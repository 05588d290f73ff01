"""What a destination lets us in by: kept apart from its record, and read by the function deliver alone."""

from __future__ import annotations

import json

from pydantic import ValidationError

from cutline.errors import InternalError, NotFound
from cutline.models.destination import SECRETS, DestinationRecord, Secret
from cutline.settings import service
from cutline.store.secrets import Secrets


def name_for(record: DestinationRecord) -> str:
    """Of its secret, in Secrets Manager."""
    return f"{service().secrets}destinations/{record.owner}/{record.destination_id}"


def keep(record: DestinationRecord, secret: Secret) -> None:
    """Instead of what the destination had."""
    text = json.dumps({field: value.get_secret_value() for field, value in secret if value is not None})
    Secrets(service().secrets_key).put(name_for(record), text)


def secret_of(record: DestinationRecord) -> Secret | None:
    """None where it needs none, or has none."""
    if record.secret is None:
        return None
    try:
        return SECRETS[record.settings.kind].model_validate_json(Secrets().get(record.secret))
    except NotFound:
        return None
    except ValidationError:  # whose words would show what it holds
        raise InternalError(f"{record.secret} is no secret of kind {record.settings.kind}") from None


def forget(record: DestinationRecord) -> None:
    """For good. Again does nothing."""
    Secrets().delete(name_for(record))
