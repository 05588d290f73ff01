"""Users' destinations: made, changed, tried and removed.

Secrets pass through here once, on their way to where nobody but the function deliver can read them.
"""

from __future__ import annotations

import secrets
from typing import Any

from cutline.deliver import s3_policies
from cutline.deliver.dropbox_login import authorize_url
from cutline.deliver.s3_endpoint import place_of
from cutline.errors import DeliveryRejected, InvalidRequest, NotFound, RateLimited
from cutline.models.api_destinations import (
    KINDS,
    AuthorizeBody,
    ChangedDestination,
    DestinationView,
    GivenSecret,
    NewDestination,
    S3Setup,
)
from cutline.models.destination import (
    DestinationRecord,
    DestinationSettings,
    DropboxSettings,
    Kind,
    S3Settings,
    SftpSettings,
)
from cutline.models.record import now
from cutline.models.task import TrialTask
from cutline.service import credentials
from cutline.service.callers import ID, Caller
from cutline.settings import service
from cutline.store.destinations import Destinations
from cutline.store.lambdas import ask
from cutline.store.rates import Rates

RECEIVERS: dict[Kind, tuple[str, ...]] = {
    # Where one of these changes, the secret goes to somebody else: then it is given again, by one who knows it.
    "s3": ("endpoint",),
    "sftp": ("host", "port", "username", "host_key"),
    "dropbox": (),
}


TRIALS_A_MINUTE, TRIALS_IN_A_ROW = 6, 12
"""Of one user's destinations, as Rates has it"""


def create_destination(caller: Caller, body: NewDestination) -> DestinationRecord:
    """Raises InvalidRequest with a pointer into ``body``, and RateLimited where the caller has as many as one may."""
    destinations, most = Destinations(service().table), service().limits.destinations
    if len(destinations.of_owner(caller.sub)) >= most:
        raise RateLimited(f"{most} destinations are what one may have; delete one that is not used any more")
    _check(body.settings, body.secret, known=False)
    record = DestinationRecord(
        destination_id=secrets.token_hex(12),
        owner=caller.sub,
        name=body.name,
        settings=body.settings,
        external_id=secrets.token_hex(16),
        created_at=now(),
    )
    if body.secret is None:
        return destinations.create(record)
    return credentials.keep(record, body.secret, destinations.create)


def find_destination(caller: Caller, destination_id: str) -> DestinationRecord:
    """The caller's own. Raises NotFound."""
    if not ID.fullmatch(destination_id):  # DynamoDB itself refuses keys that are too long
        raise NotFound(f"there is no destination {destination_id[:64]}")
    return Destinations(service().table).get(caller.sub, destination_id)


def list_destinations(caller: Caller) -> list[DestinationRecord]:
    """The caller's own, in the order in which they were made."""
    return Destinations(service().table).of_owner(caller.sub)


def change_destination(caller: Caller, destination_id: str, body: ChangedDestination) -> DestinationRecord:
    """Raises NotFound, InvalidRequest with a pointer into ``body``, and Conflict where it is changed by another request
    at the same time."""
    record = find_destination(caller, destination_id)
    settings = body.settings or record.settings
    if settings.kind != record.settings.kind:
        raise InvalidRequest(
            f"it is a destination of kind {record.settings.kind}; make a new one for {settings.kind}",
            pointer="/settings/kind",
        )
    moved = [name for name in RECEIVERS[settings.kind] if getattr(settings, name) != getattr(record.settings, name)]
    by_role = _by_role(settings)
    if moved and record.secret and body.secret is None and not by_role:
        raise InvalidRequest(
            f"with another {moved[0]} the secret goes elsewhere; send the secret along", pointer="/secret"
        )
    _check(settings, body.secret, known=record.secret is not None)
    changes: dict[str, Any] = {"settings": settings, "name": body.name or record.name}
    if body.settings or body.secret:
        changes |= {"verified_at": None, "problem": None}
    after, destinations = record.model_copy(update=changes), Destinations(service().table)
    if body.secret is not None:
        return credentials.keep(after, body.secret, destinations.change)
    if not by_role:
        return destinations.change(after)
    changed = destinations.change(after.model_copy(update={"secret": None}))
    credentials.forget(record)
    return changed


def delete_destination(caller: Caller, destination_id: str) -> None:
    """With its secret, which goes first, so that one can try again. Raises NotFound, and Conflict where it is changed
    by another request at the same time, and may have a secret that this one does not know of."""
    record = find_destination(caller, destination_id)
    credentials.forget(record)
    Destinations(service().table).delete(record)


def verify_destination(caller: Caller, destination_id: str) -> DestinationRecord:
    """Have it tried; the record says what came of it. Raises NotFound, RateLimited, and TransientError where it did not
    answer."""
    record = find_destination(caller, destination_id)
    return _tried(record, TrialTask(what="trial", owner=record.owner, destination_id=record.destination_id))


def authorize_destination(caller: Caller, destination_id: str, body: AuthorizeBody) -> DestinationRecord:
    """Exchange what Dropbox gave to the user for a secret of the destination, and try that; the record says what came
    of it. Raises NotFound, InvalidRequest, RateLimited, and TransientError where Dropbox did not answer."""
    record = find_destination(caller, destination_id)
    if record.settings.kind != "dropbox":
        raise InvalidRequest(f"a destination of kind {record.settings.kind} takes a secret, and no code: PATCH it")
    if body.state is not None and not secrets.compare_digest(body.state.encode(), state_of(record).encode()):
        raise InvalidRequest("this code was asked for by another; follow links.authorize again", pointer="/state")
    task = TrialTask(what="trial", owner=record.owner, destination_id=record.destination_id, code=body.code)
    return _tried(record, task)


def _tried(record: DestinationRecord, task: TrialTask) -> DestinationRecord:
    # Strangers' servers may be as slow as they are let be, and each trial holds a function as long.
    trials = Rates(service().table, a_minute=TRIALS_A_MINUTE, in_a_row=TRIALS_IN_A_ROW, what="trials of destinations")
    trials.take(f"{record.owner}/trials")
    payload = task.model_dump(mode="json", exclude_none=True)
    if task.code is not None:
        payload["code"] = task.code.get_secret_value()
    ask(f"{service().function_prefix}deliver", payload)
    return Destinations(service().table).get(record.owner, record.destination_id)


def state_of(record: DestinationRecord) -> str:
    """What comes back with a code by a redirect: nobody else can have made it up."""
    return f"{record.destination_id}.{record.external_id}"


def view_of(record: DestinationRecord) -> DestinationView:
    url = f"{service().url}/destinations/{record.destination_id}"
    links = {"self": url, "verify": f"{url}/verify"}
    if record.settings.kind == "dropbox" and service().dropbox_key:  # the operator may have taken the app away
        links["authorize"] = authorize_url(state_of(record))
    return DestinationView(
        **record.model_dump(include={"destination_id", "name", "created_at", "verified_at", "problem"}),
        settings=record.settings,
        has_secret=record.secret is not None,
        state=_state(record),
        setup=_setup(record, record.settings) if isinstance(record.settings, S3Settings) else None,
        links=links,
    )


def _state(record: DestinationRecord) -> str:
    if record.secret is None and not _by_role(record.settings):
        return "unauthorized"
    if record.problem is not None:
        return "failing"
    return "new" if record.verified_at is None else "verified"


def _setup(record: DestinationRecord, settings: S3Settings) -> S3Setup:
    # The account rather than a role of it: a role that is made anew has another identity, under the same name.
    us = f"arn:{(settings.role_arn or 'arn:aws').split(':')[1]}:iam::{service().account}:root"
    return S3Setup(
        external_id=record.external_id,
        trust_policy=None if record.secret else s3_policies.trust(us, record.external_id),
        permissions=s3_policies.permissions(settings),
    )


def _by_role(settings: DestinationSettings) -> bool:
    """Whether we enter by a role, which takes no secret."""
    return isinstance(settings, S3Settings) and settings.role_arn is not None


def _check(settings: DestinationSettings, secret: GivenSecret | None, *, known: bool) -> None:
    """Raise InvalidRequest for settings and a secret that do not go together. ``known``: there is one already."""
    expected = KINDS[settings.kind]
    if secret is not None and (expected is None or not isinstance(secret, expected)):
        right = "authorise us there with links.authorize" if expected is None else "send " + _fields(settings)
        raise InvalidRequest(f"{settings.kind} takes no such secret; {right}", pointer="/secret")
    match settings:
        case S3Settings():
            _check_s3(settings, secret, known=known)
        case SftpSettings() if secret is None and not known:
            raise InvalidRequest(f"an SFTP server wants a secret: {_fields(settings)}", pointer="/secret")
        case SftpSettings() if secret is not None and not any(value for _, value in secret):
            raise InvalidRequest(f"the secret is empty; send {_fields(settings)}", pointer="/secret")
        case SftpSettings() if secret is not None and all(value for _, value in secret):
            raise InvalidRequest("a server is entered by one of them; send password or private_key", pointer="/secret")
        case DropboxSettings():
            _check_app()


def _check_s3(settings: S3Settings, secret: GivenSecret | None, *, known: bool) -> None:
    if settings.endpoint is not None:
        try:
            place_of(settings.endpoint)
        except InvalidRequest as error:
            raise InvalidRequest(error.message, pointer="/settings/endpoint") from error
    if settings.role_arn is not None:
        if secret is not None:
            raise InvalidRequest("a bucket is entered by a role or by access keys; send one of them", pointer="/secret")
        if settings.endpoint is not None:
            raise InvalidRequest("roles are AWS's alone; enter another S3 by access keys", pointer="/settings/role_arn")
        if settings.role_arn.split(":")[4] == service().account:
            raise InvalidRequest(
                "this role is one of the service's own account; name one of yours", pointer="/settings/role_arn"
            )
    # A role of the user's is no use yet when the destination is made: its trust policy names the ExternalId of this.
    elif settings.endpoint is not None and secret is None and not known:
        raise InvalidRequest(f"another S3 than AWS's wants access keys: {_fields(settings)}", pointer="/secret")


def _check_app() -> None:
    try:
        authorize_url("")
    except DeliveryRejected as error:
        raise InvalidRequest(error.message, pointer="/settings/kind") from error


def _fields(settings: DestinationSettings) -> str:
    return "password or private_key" if isinstance(settings, SftpSettings) else "access_key_id and secret_access_key"
