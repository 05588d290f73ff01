"""What pydantic finds wrong with a body, in words for people: which field, what is wrong, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Error = Mapping[str, Any]
"""As pydantic's ``ValidationError.errors()`` lists them"""

TYPES = {
    # of an error -> what should be there
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "datetime_type": "a time such as 2026-11-21T12:00:00Z",
    "datetime_parsing": "a time such as 2026-11-21T12:00:00Z",
    "datetime_from_date_parsing": "a time such as 2026-11-21T12:00:00Z",
    "timezone_aware": "a time with its zone, such as 2026-11-21T12:00:00Z",
    "date_type": "a day such as 2026-11-21",
    "date_parsing": "a day such as 2026-11-21",
    "date_from_datetime_parsing": "a day such as 2026-11-21",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "union_tag_not_found": "an object whose {discriminator} says of which kind it is",
    "union_tag_invalid": "an object whose {discriminator} is one of {expected_tags}",
}
RULES = {
    # of an error -> the sentence
    "missing": "is required",
    "extra_forbidden": "there is no such field",
    "too_long": "has {actual_length} entries; {max_length} are allowed",
    "too_short": "has {actual_length} entries; at least {min_length} should be there",
    "string_too_long": "has more than {max_length} characters",
    "string_too_short": "should have at least {min_length} characters",
}
FORMS = {
    # a pattern -> who keeps to it
    r"^\w([\w .-]*\w)?$": "should be made of letters and digits, with . - _ or spaces between them",
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$": "should be up to 64 letters, digits, - and _, a letter or digit first",
    r"^[0-9a-f]{24}$": "should be an id of ours: 24 of the digits 0-9 and a-f",
    r"^(\*|[\w-]{1,128})$": "should be the sub of an account, or * for all",
    r"^[^\x00-\x1f\x7f]+$": "should be of one line, without control characters",
    r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$": "should be a bucket's name: 3 to 63 lower-case letters, digits, . and -",
    r"^[a-z0-9-]{4,30}$": "should be a region such as eu-central-1",
    r"^[\w .:/=+@-]+$": "should be made of letters, digits, spaces and . : / = + @ _ -, as S3 takes tags",
    r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+$": (
        "should be a key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID, and no alias"
    ),
    r"^\d{12}$": "should be the 12 digits of an AWS account",
    r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$": "should be a role's ARN, arn:aws:iam::ACCOUNT:role/NAME",
    r"^[A-Za-z0-9.:-]{1,253}$": "should be the name or the address of a host, without scheme and path",
    r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/=]+$": (
        "should be a host's public key as ssh-keyscan prints it, ssh-ed25519 AAAA…"
    ),
}


def told(errors: Iterable[Error], body: Any) -> dict[str, str]:
    """JSON pointer into ``body`` -> what is wrong there, in the order found. Alternatives of one field are one."""
    there: dict[str, list[Error]] = {}
    for error in errors:
        there.setdefault(pointer_to(error["loc"], body), []).append(error)
    return {
        pointer: words(found)
        for pointer, found in there.items()
        # Pydantic counts only the entries that are right, and finds a list of one wrong one too short.
        if not (found[0]["type"] == "too_short" and any(other.startswith(pointer + "/") for other in there))
    }


def words(errors: Sequence[Error]) -> str:
    """What is wrong at one place: what was meant, if one of the ``errors`` is not about the type, else all types."""
    for error in errors:
        if error["type"] not in TYPES:
            return _rule(error)
    kinds = [TYPES[error["type"]].format_map(error.get("ctx") or {}) for error in errors]
    return f"should be {' or '.join(dict.fromkeys(kinds))}"


def _rule(error: Error) -> str:
    kind, about = error["type"], error.get("ctx") or {}
    if about.get("field_type") == "Value":  # so pydantic calls a secret, which has letters and no entries
        kind = f"string_{kind}"
    if kind == "string_pattern_mismatch":
        return FORMS[about["pattern"]]
    if kind in RULES:
        return RULES[kind].format_map(about)
    said = str(error.get("msg") or kind).removeprefix("Value error, ").removeprefix("Input ")
    return said[:1].lower() + said[1:]


def pointer_to(path: Sequence[Any], body: Any) -> str:
    """A JSON pointer to what pydantic names by ``path``, in which names of models and types stand between."""
    pointer, here = "", body
    for position, step in enumerate(path):
        if step in (here if isinstance(here, dict) else range(len(here)) if isinstance(here, list | tuple) else ()):
            here = here[step]
        elif position < len(path) - 1 or not isinstance(here, dict):  # neither there nor what is missing
            continue
        pointer += "/" + str(step).replace("~", "~0").replace("/", "~1")
    return pointer
