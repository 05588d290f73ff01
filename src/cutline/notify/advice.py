"""What an owner can do about an error, by its code."""

from __future__ import annotations

ADVICE = {
    "source-unavailable": "Its source did not answer. Try again later: retry keeps all finished tiles.",
    "bad-credentials": "Renew the destination's access, then retry: the file is made, and is delivered without "
    "rendering again.",
    "quota-exceeded": "Make room at the destination, then retry: the file is made, and is delivered without rendering "
    "again.",
    "delivery-rejected": "The file is made and can be downloaded; retry delivers it again without rendering.",
    "rate-limited": "Wait until there is room again, then retry.",
    "access-denied": "Check that we may read all that the export names, then retry.",
    "internal-error": "This is our fault. Retry keeps all finished tiles; if it fails again, tell us the export's id.",
}
UNMADE_ADVICE = {
    "bad-credentials": "Renew the destination's access, then retry.",
    "quota-exceeded": "Make room at the destination, then retry.",
    "delivery-rejected": "Put right at the destination what it says, then retry.",
}
"""Where a destination was asked before anything was rendered: there is no file yet"""
DELIVERY_ADVICE = {
    "bad-credentials": "Renew the destination's access, then ask for the delivery again.",
    "quota-exceeded": "Make room at the destination, then ask for the delivery again.",
    "delivery-rejected": "Put right at the destination what it says, then ask for the delivery again.",
    "not-found": "Ask for a delivery to a destination that you have.",
    "transient-error": "Ask for the delivery again: it goes on from where it came to.",
    "internal-error": "This is our fault. Ask for the delivery again; if it fails again, tell us the export's id.",
}
"""Where the export has ended before: there is nothing of it to retry"""
AGAIN_ADVICE = "Ask for the delivery again."
REQUEST_ADVICE = "Change the request as it says, and send it as a new export."
RETRY_ADVICE = "Retry goes on from the finished tiles."
_OF_REQUESTS = {"too-large", "unsupported-crs", "not-found"}


def advice_for(code: str, *, made: bool) -> str:
    """One or two sentences; ``made``: the export has its file."""
    if not made and code in UNMADE_ADVICE:
        return UNMADE_ADVICE[code]
    of_request = code.startswith("invalid-") or code in _OF_REQUESTS
    return ADVICE.get(code, REQUEST_ADVICE if of_request else RETRY_ADVICE)


def delivery_advice_for(code: str) -> str:
    """One or two sentences about a delivery that ended later than its export."""
    return DELIVERY_ADVICE.get(code, AGAIN_ADVICE)
