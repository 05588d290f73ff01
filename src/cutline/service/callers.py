"""Who asks. API Gateway has verified the token; what it must say is checked here once more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cutline.errors import AccessDenied, NotFound, Unauthenticated
from cutline.models.record import ExportRecord
from cutline.settings import service
from cutline.store.records import Records

SCOPE = "cutline/exports"
ID = re.compile(r"[\w-]{1,64}", re.ASCII)
ADMINS = "admin"
"""The group of the user pool that sees everything"""


@dataclass(frozen=True)
class Caller:
    """A person or a machine with a valid token."""

    sub: str
    username: str = ""
    groups: frozenset[str] = frozenset()

    @property
    def is_admin(self) -> bool:
        return ADMINS in self.groups

    def may_see(self, owner: str) -> bool:
        return self.is_admin or self.sub == owner


def caller_of(event: Mapping[str, Any]) -> Caller:
    """Whoever made a request, an event of a REST API. Raises Unauthenticated without a token's claims, and AccessDenied
    where it is no access token of this API's scope."""
    claims = ((event.get("requestContext") or {}).get("authorizer") or {}).get("claims") or {}
    sub = claims.get("sub")
    if not sub:
        raise Unauthenticated("this needs an access token: send Authorization: Bearer …")
    if claims.get("token_use", "access") != "access" or SCOPE not in str(claims.get("scope", "")).split():
        raise AccessDenied(f"the token does not grant {SCOPE}; ask for an access token with that scope")
    return Caller(
        sub=str(sub),
        # A machine's token has neither name nor groups.
        username=str(claims.get("username") or claims.get("client_id") or sub),
        groups=_groups(claims.get("cognito:groups")),
    )


def find_export(caller: Caller, export_id: str) -> ExportRecord:
    """The export, if it is the caller's, or any for an admin. Raises the same NotFound for another's as for none."""
    if ID.fullmatch(export_id):  # DynamoDB itself refuses keys that are too long
        try:
            record = Records(service().table).get(export_id)
        except NotFound:
            record = None
        if record is not None and caller.may_see(record.owner):
            return record
    raise NotFound(f"there is no export {export_id[:64]}")


def _groups(claim: Any) -> frozenset[str]:
    """A list, or what API Gateway makes of one: "a,b", "a b" or "[a b]"."""
    if isinstance(claim, str):
        claim = claim.strip("[]").replace(",", " ").split()
    return frozenset(map(str, claim or ()))
