"""The demo users, in the user pool too: there the service looks up where to write to."""

from __future__ import annotations

from moto.cognitoidp.models import cognitoidp_backends

from local.aws import ACCOUNT, REGION
from local.tokens import USERS


def enlist(pool: str) -> None:
    """Every demo user into the pool ``pool`` (an id), by the sub of their tokens; AWS lets nobody choose that."""
    backend = cognitoidp_backends[ACCOUNT][REGION]
    for user in USERS.values():
        attributes = [{"Name": "email", "Value": user.email}, {"Name": "email_verified", "Value": "true"}]
        member = backend.admin_create_user(pool, user.name, "SUPPRESS", user.password, attributes)
        member.update_attributes([{"Name": "sub", "Value": user.sub}])
        for group in user.groups:
            backend.admin_add_user_to_group(pool, group, user.name)
