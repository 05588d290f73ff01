"""Every error that Cutline raises on purpose.

    CutlineError
    ├ InvalidRequest        the request cannot be met as it stands; nothing was done
    │ ├ InvalidGeometry     an area of interest that is not one
    │ ├ InvalidProcess      a process graph that is unknown, incomplete or contradictory
    │ ├ InvalidScene        imagery that cannot be placed or used, with the reason
    │ ├ UnsupportedCRS      a coordinate reference system we cannot use
    │ ├ TooLarge            over a limit, which one and by how much
    │ └ Conflict            something else is going on there, which has to end first
    ├ AccessDenied          who asks may not
    │ └ Unauthenticated     nobody knows who asks
    ├ NotFound              there is no such thing, or none that the asker may know of
    ├ RateLimited           over a quota: which one, and when there is room again
    ├ TransientError        may well succeed when tried again
    │ └ SourceUnavailable   a scene could not be read: which tile, which scene, why
    ├ DeliveryRejected      a target did not take the result; the result itself is kept
    │ ├ BadCredentials      it does not know us any more, or does not let us: what to grant or renew
    │ └ QuotaExceeded       it has no room: how much is needed, and how much there is
    ├ StorageError          the place to write to is full, read-only or gone
    └ InternalError         a broken invariant of ours
      └ IncompleteExport    a block or a tile without its bytes

An error's ``code`` is stable, for programs. Its ``pointer`` names the field that is wrong, as a JSON pointer
into the request (RFC 6901), where there is one. Its ``details`` are more that a program may want to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CutlineError(Exception):
    """The root. ``message`` is one sentence for a person: what is wrong and what would be right."""

    code: str = "cutline-error"

    def __init__(self, message: str, *, pointer: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer
        self.details = dict(details or {})

    def __reduce__(self) -> tuple[type[CutlineError], tuple[str], dict[str, Any]]:
        # Keyword-only arguments do not survive the default pickling, and workers send errors home.
        return type(self), (self.message,), {"pointer": self.pointer, "details": self.details}


class InvalidRequest(CutlineError):
    code = "invalid-request"


class InvalidGeometry(InvalidRequest):
    code = "invalid-geometry"


class InvalidProcess(InvalidRequest):
    code = "invalid-process"


class InvalidScene(InvalidRequest):
    code = "invalid-scene"


class UnsupportedCRS(InvalidRequest):
    code = "unsupported-crs"


class TooLarge(InvalidRequest):
    code = "too-large"


class Conflict(InvalidRequest):
    code = "conflict"


class AccessDenied(CutlineError):
    code = "access-denied"


class Unauthenticated(AccessDenied):
    code = "unauthenticated"


class NotFound(CutlineError):
    code = "not-found"


class RateLimited(CutlineError):
    code = "rate-limited"


class TransientError(CutlineError):
    code = "transient-error"


class SourceUnavailable(TransientError):
    code = "source-unavailable"


class DeliveryRejected(CutlineError):
    code = "delivery-rejected"


class BadCredentials(DeliveryRejected):
    code = "bad-credentials"


class QuotaExceeded(DeliveryRejected):
    code = "quota-exceeded"


class StorageError(CutlineError):
    code = "storage-error"


class InternalError(CutlineError):
    code = "internal-error"


class IncompleteExport(InternalError):
    code = "incomplete-export"


FAMILIES = frozenset(
    {InvalidRequest, AccessDenied, NotFound, Conflict, RateLimited}
    | {TransientError, DeliveryRejected, StorageError, InternalError, CutlineError}
)
"""As which an error leaves a step of the service: the names that the state machine retries and catches"""
